//! TB0614: a `let` that nothing reads.

use taskbot_grammar::ItemKind;
use taskbot_graph::Place;

use super::{Context, Lint};
use crate::diagnostic::{Code, Diagnostic, Severity};

static CODE: Code = Code {
    id: "TB0614",
    name: "unused-let",
    severity: Severity::Warning,
    why: "A name that nothing reads is a rule's part that got lost, or is to be removed.",
};

pub(super) static LINT: Lint = Lint { code: &CODE, check };

fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for (tree, file) in context.compiled.trees.iter().zip(0..) {
        for item in &tree.items {
            let ItemKind::Let(named) = &item.kind else { continue };
            if context.compiled.used_lets.contains(&named.name.text) {
                continue;
            }
            let place = Place { file, start: named.name.span.start, end: named.name.span.end };
            let message = format!("nothing reads `{}`", named.name.text);
            found.push(Diagnostic::new(&CODE, place, message, "unused").help("use it, or remove it"));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::tests::codes;

    #[test]
    fn a_let_that_a_rule_or_another_let_reads_is_used() {
        let used =
            "let k = [\"kernel\"]\nlet c = package.name in k\non bodhi.update.testing where c run rpmlint";
        assert_eq!(codes(used), [""; 0]);
        assert_eq!(codes("let k = [\"kernel\"]\non bodhi.update.testing run rpmlint"), ["TB0614"]);
    }
}
