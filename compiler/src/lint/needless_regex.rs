//! TB0612: a regular expression that says no more than `==`, `in` or `like`.

use regex_syntax::hir::{Class, Hir, HirKind, Look};
use taskbot_graph::{Place, Type};

use super::comparisons::{Comparison, Literal, Relation};
use super::digits::is_anything;
use super::{Context, Lint};
use crate::diagnostic::{Diagnostic, Safety, TB0612};

pub(super) static LINT: Lint = Lint { code: &TB0612, check };

/// Most names of a list that an expression is taken for.
const NAMES_MAX: usize = 64;

fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for comparison in context.comparisons.iter().filter(|c| c.relation == Relation::Regex) {
        for literal in &comparison.literals {
            let Some(same) = same(context, comparison, literal.text) else { continue };
            let place = operator(context, comparison, *literal);
            let negated = place.and_then(|place| negation(context, place));
            let message = format!("this regular expression is `{same}`");
            let (place, same) = match (negated, same.strip_prefix("==")) {
                (Some(from_not), Some(text)) => (Some(from_not), format!("!={text}")),
                _ => (place, same),
            };
            let diagnostic = Diagnostic::new(&TB0612, literal.place, message, "no pattern")
                .help(format!("write `{same}`"));
            found.push(match place {
                Some(place) => diagnostic.suggest(place, same, Safety::Safe),
                None => diagnostic,
            });
        }
    }
}

fn operator(context: &Context<'_>, comparison: &Comparison<'_>, literal: Literal<'_>) -> Option<Place> {
    let file = context.compiled.files.get(comparison.place.file as usize)?;
    comparison.operator(&file.text, "matches", literal)
}

/// From the `not` on that stands before an operator; there is no `not ==`.
fn negation(context: &Context<'_>, operator: Place) -> Option<Place> {
    let file = context.compiled.files.get(operator.file as usize)?;
    let before = file.text.get(..operator.start as usize)?.trim_end().strip_suffix("not")?;
    let start = u32::try_from(before.len()).ok()?;
    before.ends_with(char::is_whitespace).then_some(Place { start, ..operator })
}

/// What holds for exactly the same texts, if that is simpler.
fn same(context: &Context<'_>, comparison: &Comparison<'_>, pattern: &str) -> Option<String> {
    let hir = regex_syntax::parse(pattern).ok()?;
    let mut parts = Vec::new();
    flatten(&hir, &mut parts);
    let start = parts.first().is_some_and(|p| *p.kind() == HirKind::Look(Look::Start));
    let end = parts.last().is_some_and(|p| *p.kind() == HirKind::Look(Look::End));
    let mut inner = parts.as_slice();
    inner = if start { inner.get(1..)? } else { inner };
    inner = if end { inner.get(..inner.len().checked_sub(1)?)? } else { inner };
    // At an open end `.*` says nothing; before an anchor it excludes line breaks, which `like` does not.
    let (open_start, open_end) = (
        !start && inner.first().is_some_and(|part| is_any(part)),
        !end && inner.last().is_some_and(|part| is_any(part)),
    );
    inner = if open_start { inner.get(1..)? } else { inner };
    inner = if open_end { inner.get(..inner.len().saturating_sub(1))? } else { inner };
    if start && end {
        return names(inner, pattern).and_then(|names| list(context, comparison, &names));
    }
    let [one] = inner else { return None };
    let HirKind::Literal(literal) = one.kind() else { return None };
    let text = glob(std::str::from_utf8(&literal.0).ok()?);
    match (start, end) {
        (true, _) => Some(format!("like {}", quoted(&format!("{text}*")))),
        (_, true) => Some(format!("like {}", quoted(&format!("*{text}")))),
        // Without `.*` it may be meant otherwise: that is unanchored-regex.
        _ => (open_start && open_end).then(|| format!("like {}", quoted(&format!("*{text}*")))),
    }
}

/// `== "a"` or `in ["a", "b"]`, where each can be a value of the type.
fn list(context: &Context<'_>, comparison: &Comparison<'_>, names: &[String]) -> Option<String> {
    match comparison.ty {
        Type::String => {}
        Type::Enum(id) => {
            let declared = context.compiled.program.enums.get(*id as usize)?;
            if !names.iter().all(|name| declared.values.contains(name)) {
                return None;
            }
        }
        // Of a build the literal would be read as one.
        _ => return None,
    }
    let quoted: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    match quoted.as_slice() {
        [one] => Some(format!("== {one}")),
        _ => Some(format!("in [{}]", quoted.join(", "))),
    }
}

/// The names that a pattern spells out; none for one with classes or repetitions.
fn names(parts: &[&Hir], pattern: &str) -> Option<Vec<String>> {
    if pattern.contains(['[', '?', '*', '+', '{']) || pattern.contains("(?") {
        return None;
    }
    parts.iter().try_fold(vec![String::new()], |sum, part| {
        let more = spelt(part)?;
        let joined = sum.iter().flat_map(|a| more.iter().map(move |b| format!("{a}{b}")));
        let joined: Vec<String> = joined.take(NAMES_MAX.saturating_add(1)).collect();
        (joined.len() <= NAMES_MAX).then_some(joined)
    })
}

fn spelt(hir: &Hir) -> Option<Vec<String>> {
    match hir.kind() {
        HirKind::Empty => Some(vec![String::new()]),
        HirKind::Literal(literal) => Some(vec![std::str::from_utf8(&literal.0).ok()?.to_owned()]),
        HirKind::Capture(group) => spelt(&group.sub),
        // `(X|Y)` is read as a class.
        HirKind::Class(Class::Unicode(class)) => {
            let letters = class.iter().map(|range| {
                let (start, end) = (u32::from(range.start()), u32::from(range.end()));
                (end.saturating_sub(start) < 8).then(|| (range.start()..=range.end()).map(String::from))
            });
            Some(letters.collect::<Option<Vec<_>>>()?.into_iter().flatten().collect())
        }
        HirKind::Concat(parts) => {
            let parts: Vec<&Hir> = parts.iter().collect();
            names(&parts, "")
        }
        HirKind::Alternation(parts) => {
            let parts = parts.iter().map(spelt).collect::<Option<Vec<_>>>()?;
            let all: Vec<String> = parts.into_iter().flatten().collect();
            (all.len() <= NAMES_MAX).then_some(all)
        }
        _ => None,
    }
}

/// A concatenation as its parts.
fn flatten<'h>(hir: &'h Hir, out: &mut Vec<&'h Hir>) {
    match hir.kind() {
        HirKind::Concat(parts) => out.extend(parts),
        _ => out.push(hir),
    }
}

/// `.*`
fn is_any(hir: &Hir) -> bool {
    matches!(hir.kind(), HirKind::Repetition(repetition) if repetition.min == 0) && is_anything(hir)
}

/// A text as a glob that matches it alone.
fn glob(text: &str) -> String {
    text.chars().map(|c| if matches!(c, '*' | '?' | '[') { format!("[{c}]") } else { c.into() }).collect()
}

/// A text as a string of the language.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use crate::lint::tests::{codes, mended};

    fn rule(condition: &str) -> String {
        format!("on koji.build.completed where package.name {condition} run rpmlint")
    }

    #[test]
    fn not_before_an_operator_is_not_mended_into_nonsense() {
        let rule =
            |relation: &str| format!("on koji.build.completed where package.name not {relation} run rpmlint");
        assert_eq!(mended(&rule("matches r\"^(a|b)$\"")), rule("in [\"a\", \"b\"]"));
        let equal = "on koji.build.completed where package.name != \"a\" run rpmlint";
        assert_eq!(mended(&rule("matches r\"^a$\"")), equal);
    }

    #[test]
    fn what_is_no_pattern_is_written_without_one() {
        for (regex, same) in [
            (r#"matches r"^kernel$""#, r#"== "kernel""#),
            (r#"matches r"^java-1\.8$""#, r#"== "java-1.8""#),
            (r#"matches r"^(kernel|glibc)$""#, r#"in ["kernel", "glibc"]"#),
            (r#"matches r"^gtk(2|3)$""#, r#"in ["gtk2", "gtk3"]"#),
            (r#"matches r"^python3-""#, r#"like "python3-*""#),
            (r#"matches r"^python3-.*""#, r#"like "python3-*""#),
            (r#"matches r"-devel$""#, r#"like "*-devel""#),
            (r#"matches r".*kernel.*""#, r#"like "*kernel*""#),
            (r#"matches r"^c\*""#, r#"like "c[*]*""#),
        ] {
            assert_eq!(mended(&rule(regex)), rule(same));
        }
        let parenthesised = "on koji.build.tagged where (owner else \"\") matches r\"^kernel$\" run rpmlint";
        assert!(mended(parenthesised).contains("(owner else \"\") == \"kernel\""));
    }

    #[test]
    fn what_is_not_surely_the_same_stays() {
        for condition in [
            // A line break would make the difference.
            r#"matches r"^kernel.*$""#,
            r#"matches r"(?i)^kernel$""#,
            r#"matches r"^kernel-[0-9]+$""#,
            r#"matches r"^kernel-?$""#,
            r#"matches r"^f4[0-2]$""#,
            r#"matches r"^kernel.$""#,
        ] {
            assert_eq!(codes(&rule(condition)), [""; 0], "{condition}");
        }
        let build = "on koji.build.completed where package matches r\"^kernel-1-1$\" run rpmlint";
        assert_eq!(codes(build), [""; 0]);
    }
}
