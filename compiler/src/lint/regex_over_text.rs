//! TB0608: a pattern that can only match JSON text, where a value is compared.

use super::comparisons::Relation;
use super::{Context, Lint};
use crate::diagnostic::{Diagnostic, TB0608};

pub(super) static LINT: Lint = Lint { code: &TB0608, check };

fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for comparison in &context.comparisons {
        if !matches!(comparison.relation, Relation::Regex | Relation::Glob) {
            continue;
        }
        for literal in &comparison.literals {
            let keys = keys(literal.text);
            let Some(key) = keys.first() else { continue };
            let message = format!("\"{key}\" in quotes is a key of JSON text, and a value is compared here");
            let times = keys.iter().filter(|other| *other == key).count();
            let help = if times > 1 {
                format!("count the elements of the list that hold `{key}`: `count(x in LIST) >= {times}`")
            } else {
                format!("read the value by its path, and compare it: `PATH.{key} == ...`")
            };
            found.push(Diagnostic::new(&TB0608, literal.place, message, "matches text of JSON").help(help));
        }
    }
}

/// Quoted words that are followed as a key of an object is, or begin one, or stand among wildcards.
fn keys(pattern: &str) -> Vec<&str> {
    let mut keys = Vec::new();
    let mut rest = pattern;
    while let Some((before, behind)) = rest.split_once('"') {
        let Some((word, after)) = behind.split_once('"') else { break };
        let word = word.trim_end_matches('\\');
        let before = before.trim_end_matches('\\');
        let is_word = !word.is_empty()
            && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
        let wild = |text: &str| text.starts_with(".*") || text.starts_with('*') || text.starts_with(".+");
        let after_key = after.trim_start_matches([' ', '\\', 's', '*', '?', '+', ')']);
        let inside = before.ends_with(['{', '*', ',']) || before.ends_with(".+");
        if is_word && (after_key.starts_with(':') || inside && (after.is_empty() || wild(after))) {
            keys.push(word);
            rest = after;
        } else {
            rest = behind;
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]
    use crate::Domains;
    use crate::lint::tests::{codes, linted};

    fn rule(condition: &str) -> String {
        format!(
            "task t {{ repository \"https://example.org/t.git\" }}\non topic \"a.b\" where {condition} run t"
        )
    }

    #[test]
    fn a_key_of_json_text_is_told() {
        let found = linted(&rule(r#"body.msg matches ".*\"nvr\".*\"nvr\".*""#), &Domains::default());
        assert_eq!(found.iter().map(|d| d.code.id).collect::<Vec<_>>(), ["TB0608"]);
        assert!(found[0].help.as_deref().unwrap().contains("count(x in LIST) >= 2"));
        assert_eq!(codes(&rule(r#"body.msg like "*\"critpath\": true*""#)), ["TB0608"]);
    }

    #[test]
    fn quotes_in_a_text_are_no_key() {
        for condition in [
            r#"body.title like "*says \"hello\" again*""#,
            r#"body.title == "\"nvr\": 1""#,
            r#"body.title matches "^\"quoted\"$""#,
        ] {
            let found = codes(&rule(condition));
            assert!(!found.contains(&"TB0608"), "{condition} {found:?}");
        }
    }
}
