//! Names that were meant: suggestions for a misspelt one, in a sentence.
//!
//! Comes in: a name as written, and the names that there are. Goes out: the end of a complaint. What is near is the compiler's to say.

use taskbot_compiler::closest;
use taskbot_graph::Graph;

use crate::output::Failure;

/// `; did you mean ...?`, where a name is near or the written one is a part of it.
pub fn did_you_mean<'n>(written: &str, names: impl IntoIterator<Item = &'n str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let part =
        || names.iter().copied().find(|name| !written.is_empty() && name.contains(&written.to_lowercase()));
    let meant = closest(written, &names).or_else(part);
    meant.map_or(String::new(), |name| format!("; did you mean {name}?"))
}

/// Fails at the first name that no rule has.
pub fn rules_are_there(graph: &Graph, names: &[String]) -> Result<(), Failure> {
    let known = || graph.rules.iter().map(|rule| rule.name.as_str());
    match names.iter().find(|name| !known().any(|rule| rule == **name)) {
        None => Ok(()),
        Some(unknown) => {
            let near = did_you_mean(unknown, known());
            Err(Failure::new(format!("there is no rule {unknown}{near}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_suggested_only_where_it_is_near() {
        let names = ["rpmlint", "depcheck", "koji.build.completed"];
        assert_eq!(did_you_mean("depchek", names), "; did you mean depcheck?");
        assert_eq!(did_you_mean("build.completed", names), "; did you mean koji.build.completed?");
        assert_eq!(did_you_mean("zebra", names), "");
    }
}
