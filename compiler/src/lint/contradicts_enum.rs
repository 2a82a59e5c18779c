//! TB0603: a condition that only a value which its enum does not list could make true.

use taskbot_graph::{ExprId, Place};

use super::never_true::inside;
use super::{Context, Lint};
use crate::analysis::{Enums, Wanted};
use crate::diagnostic::{Diagnostic, TB0603};

pub(super) static LINT: Lint = Lint { code: &TB0603, check };

fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for (_, rule, parts) in context.rules() {
        let never = |id: ExprId, enums| {
            context.analysis.possible(rule.event, &[Wanted::True(id)], enums).is_impossible()
        };
        let excluded: Vec<Place> = parts
            .iter()
            .filter(|(_, id)| never(*id, Enums::Listed) && !never(*id, Enums::Open))
            .map(|(place, _)| *place)
            .collect();
        for place in excluded.iter().filter(|place| !excluded.iter().any(|other| inside(*other, **place))) {
            let message = "no listed value of the enum makes this true";
            found.push(
                Diagnostic::new(&TB0603, *place, message, "excludes every value")
                    .help("leave one of the values, or add the new value to the enum"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::tests::codes;

    #[test]
    fn a_condition_that_leaves_no_value_is_found() {
        let with = |condition: &str| {
            codes(&format!(
                "enum size {{ small large }}\nfact nvr.size: size {{ key name }}\n\
                 on koji.build.completed where {condition} run rpmlint"
            ))
        };
        assert_eq!(with("not (package.size in [small, large])"), ["TB0603"]);
        assert_eq!(with("package.size != small and package.size != large"), ["TB0603"]);
        assert_eq!(with("package.size != small"), [""; 0]);
    }
}
