//! TB0614: a `let` that nothing reads.

use taskbot_grammar::ItemKind;
use taskbot_graph::Place;

use super::{Context, Lint};
use crate::diagnostic::{Diagnostic, TB0614};

pub(super) static LINT: Lint = Lint { code: &TB0614, check };

fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for (tree, file) in context.compiled.trees.iter().zip(0..) {
        for item in &tree.items {
            let ItemKind::Let(named) = &item.kind else { continue };
            if context.compiled.used_lets.contains(named.name.text.as_str()) {
                continue;
            }
            let place = Place { file, start: named.name.span.start, end: named.name.span.end };
            let message = format!("nothing reads `{}`", named.name.text);
            found.push(Diagnostic::new(&TB0614, place, message, "unused").help("use it, or remove it"));
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
