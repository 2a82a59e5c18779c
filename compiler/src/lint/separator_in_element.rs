//! TB0606: a name that holds a separator: several names fused into one string.

use super::comparisons::{Comparison, Literal, Relation, Subject};
use super::{Context, Lint};
use crate::diagnostic::{Diagnostic, Safety, TB0606};

pub(super) static LINT: Lint = Lint { code: &TB0606, check };

fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for comparison in &context.comparisons {
        for literal in &comparison.literals {
            let names = fused(comparison, literal.text);
            if names.len() > 1 {
                found.push(report(context, comparison, *literal, &names));
            }
        }
    }
}

/// The names that a literal holds, if it is meant to be one name and holds several.
pub(super) fn fused<'t>(comparison: &Comparison<'_>, text: &'t str) -> Vec<&'t str> {
    let package = matches!(comparison.subject, Subject::PackageName | Subject::Package);
    let wanted = match comparison.relation {
        Relation::OneOf | Relation::Axis => package || comparison.subject == Subject::Text,
        // A title, compared as a whole, may hold anything.
        Relation::Equal | Relation::NotEqual | Relation::Glob => package,
        Relation::Regex => false,
    };
    if !wanted {
        return Vec::new();
    }
    let parts: Vec<&str> =
        text.split([',', ';', '|']).map(str::trim).filter(|part| !part.is_empty()).collect();
    if package {
        return parts.into_iter().flat_map(str::split_whitespace).collect();
    }
    // Of other lists only what is surely no sentence: separators with one word between them.
    let words = parts.iter().all(|part| !part.contains(char::is_whitespace));
    if words { parts } else { Vec::new() }
}

fn report(
    context: &Context<'_>,
    comparison: &Comparison<'_>,
    literal: Literal<'_>,
    names: &[&str],
) -> Diagnostic {
    let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    let message = format!("{:?} is one name, not {}", literal.text, names.len());
    let split = quoted.join(", ");
    let diagnostic = Diagnostic::new(&TB0606, literal.place, message, "nothing is called so");
    match comparison.relation {
        Relation::OneOf | Relation::Axis => {
            diagnostic.help(format!("write {split}")).suggest(literal.place, split, Safety::Unsafe)
        }
        Relation::Equal => {
            let diagnostic = diagnostic.help(format!("write `in [{split}]`"));
            let source = context.compiled.files.get(comparison.place.file as usize);
            match source.and_then(|file| comparison.operator(&file.text, "==", literal)) {
                Some(place) => diagnostic.suggest(place, format!("in [{split}]"), Safety::Unsafe),
                None => diagnostic,
            }
        }
        _ => diagnostic.help(format!("write `not ... in [{split}]`, or join patterns with `or`")),
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::tests::{codes, mended};

    #[test]
    fn fused_names_in_a_list_are_split() {
        let rule =
            |list: &str| format!("on koji.build.completed where not package.name in [{list}] run rpmlint");
        for (fused, split) in [
            ("\"a,b,c\"", "\"a\", \"b\", \"c\""),
            ("\"kernel; glibc\"", "\"kernel\", \"glibc\""),
            ("\"x\", \"kernel glibc\"", "\"x\", \"kernel\", \"glibc\""),
            ("\"kernel|glibc\"", "\"kernel\", \"glibc\""),
        ] {
            assert_eq!(mended(&rule(fused)), rule(split));
        }
    }

    #[test]
    fn a_name_compared_alone_and_a_let_are_looked_at_as_well() {
        let equal = "on koji.build.completed where package.name == \"kernel,glibc\" run rpmlint";
        let list = "on koji.build.completed where package.name in [\"kernel\", \"glibc\"] run rpmlint";
        assert_eq!(mended(equal), list);
        let named =
            "let ours = [\"kernel,glibc\"]\non koji.build.completed where package.name in ours run rpmlint";
        assert!(mended(named).starts_with("let ours = [\"kernel\", \"glibc\"]"));
        let task = "task t { repository \"https://example.org/t.git\" }";
        let raw = |path: &str| codes(&format!("{task}\non topic \"a.b\" where {path} == \"a b\" run t"));
        assert_eq!(raw("body.package_name"), ["TB0606"]);
        assert_eq!(raw("body.user.name"), [""; 0]);
    }

    #[test]
    fn text_is_not_flagged() {
        for clean in [
            "on topic \"a.b\" where body.title == \"kernel, glibc and more\" run t",
            "on topic \"a.b\" where body.title in [\"Security update for kernel, glibc\"] run t",
            "on topic \"a.b\" where body.state in [\"NEEDS INSPECTION\"] run t",
            "on topic \"a.b\" where body.title like \"*, *\" run t",
            "on koji.build.completed where package.name in [\"gtk2+\", \"java-1.8\"] run t",
            "on koji.build.completed where package.name matches r\"^(kernel|glibc)-.\" run t",
        ] {
            assert_eq!(
                codes(&format!("task t {{ repository \"https://example.org/t.git\" }}\n{clean}")),
                [""; 0]
            );
        }
    }
}
