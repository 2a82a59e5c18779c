//! TB0704: a rule that no test expects a run of.

use std::collections::BTreeSet;

use taskbot_grammar::Waits;

use super::{Context, Lint, place};
use crate::diagnostic::{Diagnostic, TB0704};
use crate::typed::TypedExpectKind;

pub(super) static LINT: Lint = Lint { code: &TB0704, check };

fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    let program = &context.compiled.program;
    let mut expected: BTreeSet<(&str, &str)> = BTreeSet::new();
    for test in &program.tests {
        for expect in &test.expects {
            if let TypedExpectKind::Run { task, .. } = &expect.kind {
                expected.insert((&test.event, task));
            }
        }
    }
    for site in &context.sites {
        // A test is given an event; a raw topic is none.
        let Waits::Event(event) = &site.tree.event else { continue };
        let tested = site.tree.calls.iter().any(|call| expected.contains(&(&event.text, &call.task.text)));
        if !tested {
            let message = format!("no test expects a run of rule `{}`", site.typed.name);
            let diagnostic = Diagnostic::new(&TB0704, place(site.file, event.span), message, "untested")
                .help(format!("write `test \"...\" given {} ... expect run ...`", event.text));
            found.push(diagnostic);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::tests::all_codes;

    #[test]
    fn a_test_of_the_event_that_expects_the_task_tests_the_rule() {
        let untested = |test: &str| {
            let text = format!("on bodhi.update.testing run rpmlint\n{test}");
            all_codes(&text).iter().filter(|c| **c == "TB0704").count()
        };
        assert_eq!(untested(""), 1);
        assert_eq!(untested("test \"a\" given bodhi.update.testing { \"a\": 1 } expect run rpmlint"), 0);
        assert_eq!(untested("test \"a\" given bodhi.update.testing { \"a\": 1 } expect no run rpmlint"), 1);
        assert_eq!(untested("test \"a\" given bodhi.update.stable { \"a\": 1 } expect run rpmlint"), 1);
    }
}
