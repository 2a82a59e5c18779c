//! Clauses: a rule's windows and limits.
//!
//! Comes in: their trees. Goes out: typed clauses, each at most once, with keys that are surely there and lengths that can be
//! kept. What they do is admission's; here they are only read.

use taskbot_grammar::{Clause, ClauseKind, Expr, Name};
use taskbot_graph::{AtMost, GroupLimit, Place, Priority, Type};

use super::Checker;
use super::view::View;
use crate::diagnostic::{Diagnostic, TB0409, TB0411};
use crate::typed::{Looping, TypedClauses, TypedExpr, TypedWindow};

const PRIORITIES: [(&str, Priority); 3] =
    [("low", Priority::Low), ("normal", Priority::Normal), ("high", Priority::High)];

impl Checker<'_, '_> {
    pub(super) fn clauses(&mut self, view: &mut View<'_>, clauses: &[Clause]) -> Option<TypedClauses> {
        let mut typed = TypedClauses::default();
        let mut complete = true;
        for (at, clause) in clauses.iter().enumerate() {
            let place = view.place(clause.span);
            let word = clause.kind.word();
            if let Some(first) = clauses.iter().take(at).find(|c| c.kind.word() == word) {
                let message = format!("the rule has two clauses `{word}`");
                let diagnostic = Diagnostic::new(&TB0409, place, message, "the second one")
                    .other(view.place(first.span), "the first one");
                self.push(diagnostic);
                complete = false;
            }
            complete = self.clause(view, place, &clause.kind, &mut typed).is_some() && complete;
        }
        complete.then_some(typed)
    }

    fn clause(
        &mut self,
        view: &mut View<'_>,
        place: Place,
        clause: &ClauseKind,
        typed: &mut TypedClauses,
    ) -> Option<()> {
        match clause {
            ClauseKind::Once { key, within_ms } => {
                let (key, seconds) = (self.key(view, key), self.length(place, *within_ms));
                typed.once = Some(TypedWindow { key: key?, seconds: seconds? });
            }
            ClauseKind::Quiet { for_ms, key } => {
                let (key, seconds) = (self.key(view, key), self.length(place, *for_ms));
                typed.quiet = Some(TypedWindow { key: key?, seconds: seconds? });
            }
            ClauseKind::AtMost { runs, per_ms } => {
                let (runs, per_seconds) = (self.number(place, *runs), self.length(place, *per_ms));
                typed.at_most = Some(AtMost { runs: runs?, per_seconds: per_seconds? });
            }
            ClauseKind::Superseding { key } => typed.superseding = Some(self.key(view, key)?),
            ClauseKind::Group { runs, name } => {
                let runs = self.number(place, *runs)?;
                self.one_limit(view.place(name.span), name, runs);
                typed.group = Some(GroupLimit { name: name.text.to_string(), runs });
            }
            ClauseKind::Priority(word) => {
                let known = PRIORITIES.iter().find(|(name, _)| *name == word.text);
                let Some((_, priority)) = known else {
                    let message = format!("`{}` is no priority", word.text);
                    let diagnostic =
                        Diagnostic::new(&TB0409, view.place(word.span), message, "unknown priority")
                            .did_you_mean(&word.text, PRIORITIES.map(|(name, _)| name));
                    self.push(diagnostic);
                    return None;
                };
                typed.priority = *priority;
            }
            ClauseKind::Timeout(ms) => typed.timeout_seconds = Some(self.length(place, *ms)?),
            ClauseKind::MayLoop => typed.looping = Looping::Bounded,
        }
        Some(())
    }

    fn key(&mut self, view: &mut View<'_>, key: &[Expr]) -> Option<Vec<TypedExpr>> {
        let text = |raw: bool| raw.then_some(Type::String);
        key.iter().map(|part| self.operand(view, part, text(Self::is_raw(view, part)).as_ref())).collect()
    }

    /// Whole seconds, at least one.
    fn length(&mut self, place: Place, ms: u64) -> Option<u64> {
        if ms == 0 {
            self.report(&TB0409, place, "a length of time of nothing", "here").help =
                Some("write a duration like 15m, 2h or 1d".into());
            return None;
        }
        Some(ms.div_ceil(1_000))
    }

    fn number(&mut self, place: Place, runs: i64) -> Option<u32> {
        let number = u32::try_from(runs).ok().filter(|n| *n > 0);
        if number.is_none() {
            let message = format!("{runs} is no number of runs");
            self.report(&TB0409, place, message, "here").help = Some("write a number from 1 on".into());
        }
        number
    }

    /// A group has the same limit wherever it stands.
    pub(super) fn one_limit(&mut self, place: Place, name: &Name, runs: u32) {
        match self.groups.get(name.text.as_str()) {
            Some((known, first)) if *known != runs => {
                let message =
                    format!("group `{}` has a limit of {runs} here and of {known} elsewhere", name.text);
                let diagnostic =
                    Diagnostic::new(&TB0411, place, message, "this limit").other(*first, "the other one");
                self.push(diagnostic);
            }
            Some(_) => {}
            None => drop(self.groups.insert(name.text.to_string(), (runs, place))),
        }
    }
}
