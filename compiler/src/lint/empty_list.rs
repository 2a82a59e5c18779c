//! TB0619: a list literal without elements.

use taskbot_grammar::ExprKind;

use super::{Context, Lint, place, trees};
use crate::diagnostic::{Diagnostic, TB0619};

pub(super) static LINT: Lint = Lint { code: &TB0619, check };

fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    trees::expressions(context, &mut |file, expr| {
        if matches!(&expr.kind, ExprKind::List(items) if items.is_empty()) {
            let diagnostic =
                Diagnostic::new(&TB0619, place(file, expr.span), "this list is empty", "no element")
                    .help("name what is meant, or remove the comparison");
            found.push(diagnostic);
        }
    });
}

#[cfg(test)]
mod tests {
    use crate::lint::tests::codes;

    #[test]
    fn an_empty_list_is_told_also_in_a_let() {
        assert!(
            codes("on koji.build.completed where not package.name in [] run rpmlint").contains(&"TB0619")
        );
        let named = "let skipped = []\non koji.build.completed where not package.name in skipped run rpmlint";
        assert_eq!(codes(named), ["TB0619"]);
        assert_eq!(codes("on koji.build.completed where not package.name in [\"\"] run rpmlint"), [""; 0]);
    }
}
