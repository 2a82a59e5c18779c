//! TB0703: a rule, task or event without documentation.

use taskbot_grammar::ItemKind;

use super::{Context, Lint, place};
use crate::diagnostic::{Diagnostic, TB0703};

pub(super) static LINT: Lint = Lint { code: &TB0703, check };

fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for (file, tree) in context.own_trees() {
        for item in tree.items.iter().filter(|item| item.doc.is_empty()) {
            let (what, span) = match &item.kind {
                ItemKind::Rule(rule) => {
                    let name = rule.name.as_ref().unwrap_or_else(|| rule.event.name());
                    ("rule", name.span)
                }
                ItemKind::Task(task) => ("task", task.name.span),
                ItemKind::Event(event) => ("event", event.name.span),
                _ => continue,
            };
            let message = format!("this {what} has no documentation");
            let diagnostic = Diagnostic::new(&TB0703, place(file, span), message, "undocumented")
                .help("write a line that begins with `##` before it");
            found.push(diagnostic);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::tests::all_codes;

    #[test]
    fn two_signs_document_one_does_not() {
        let undocumented = |text: &str| all_codes(text).iter().filter(|c| **c == "TB0703").count();
        assert_eq!(undocumented("## Why.\non bodhi.update.testing run rpmlint"), 0);
        assert_eq!(undocumented("# Why.\non bodhi.update.testing run rpmlint"), 1);
        assert_eq!(undocumented("event a.b { dialect d { topic \"a.b\" } }\nlet x = 1\nenum e { f }"), 1);
    }
}
