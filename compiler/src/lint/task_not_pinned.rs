//! TB0702: a task whose repository is not pinned to a commit.

use taskbot_grammar::{ItemKind, StaticText};

use super::{Context, Lint, place};
use crate::diagnostic::{Diagnostic, TB0702};

pub(super) static LINT: Lint = Lint { code: &TB0702, check };

fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for (file, tree) in context.own_trees() {
        for item in &tree.items {
            let ItemKind::Task(task) = &item.kind else { continue };
            let Some((StaticText::Literal(repository), at)) = &task.repository else { continue };
            let (span, label) = match at {
                None => (repository.span, "its newest commit, whichever that is"),
                Some(StaticText::Literal(at)) if !is_commit(&at.text) => (at.span, "no full commit"),
                Some(_) => continue,
            };
            let message = format!("task `{}` is not pinned to a commit", task.name.text);
            let diagnostic = Diagnostic::new(&TB0702, place(file, span), message, label)
                .help("write `at \"COMMIT\"` with all of its 40 or 64 digits");
            found.push(diagnostic);
        }
    }
}

fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.chars().all(|c| c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use crate::lint::tests::all_codes;

    #[test]
    fn only_a_full_commit_pins() {
        let pinned = |at: &str| {
            let task = format!("## A task.\ntask t {{ repository \"https://example.org/t.git\" {at} }}");
            all_codes(&task).is_empty()
        };
        assert!(!pinned("") && !pinned("at \"main\"") && !pinned("at \"0123abc\""));
        assert!(pinned(&format!("at \"{}\"", "0123456789".repeat(4))));
    }
}
