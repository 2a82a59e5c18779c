//! Lowering a program again, of which most rules are those of before.
//!
//! Comes in: the lowered program of before, the typed program of now, and how many rules at its beginning and its end are the same.
//! Goes out: the lowered program of now, as if it were lowered afresh; or nothing, if what all rules build on changed.
//!
//! What the rules at the beginning made stays as it is. A graph's expressions stand in the order in which rules need them first, so
//! behind that only the numbers of expressions change: changed rules are lowered, and the rules at the end are only walked through, to
//! number what they made before. While that goes on all expressions keep their old numbers, and new ones come behind them; at last they
//! are put into their order. A rule at the end is lowered again if it reads what a rule made that is there no more.

use std::hash::BuildHasher;

use taskbot_graph::{Expr, ExprId, Rule, RuleSource};

use super::{Heads, Lowered, Lowering, Made, Parts, Shared};
use crate::check::Checked;
use crate::typed::{Moved, Program};

/// Rules that are the same as before.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Same {
    /// So many at the beginning, where they were.
    pub(crate) first: usize,
    /// So many at the end, wherever they are now.
    pub(crate) last: usize,
}

/// New numbers, in the order of need.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    /// Expressions before this one keep their numbers.
    from: ExprId,
    /// The new number of each expression from there on.
    new: Vec<Option<ExprId>>,
    /// Those that have one, in order.
    order: Vec<ExprId>,
}

impl Numbering {
    fn new_of(&self, id: ExprId) -> Option<ExprId> {
        match id.checked_sub(self.from) {
            None => Some(id),
            Some(at) => self.new.get(at as usize).copied().flatten(),
        }
    }

    /// Gives an expression the next number, if it has none.
    pub(super) fn number(&mut self, id: ExprId) {
        let Some(at) = id.checked_sub(self.from) else { return };
        let at = at as usize;
        if self.new.len() <= at {
            self.new.resize(at.saturating_add(1), None);
        }
        let next = self.next();
        if let Some(new @ None) = self.new.get_mut(at) {
            *new = Some(next);
            self.order.push(id);
        }
    }

    /// The number that is given next: so many expressions there are.
    pub(super) fn next(&self) -> ExprId {
        self.from.saturating_add(u32::try_from(self.order.len()).unwrap_or(u32::MAX))
    }

    fn renumber(&self, id: &mut ExprId) {
        *id = self.new_of(*id).unwrap_or(*id);
    }
}

/// Rules of before with all that is made of them.
type Rest = (Vec<Rule>, Vec<RuleSource>, Vec<Parts>, Vec<Made>);

impl Lowered {
    /// How many rules are the same.
    pub(crate) fn same(&self, program: &Program, checked: &[Checked]) -> Same {
        let (sources, before) = (&self.graph.sources.rules, self.graph.rules.len());
        let stays = program.rules.iter().zip(sources).map(|(now, before)| now.place == before.place);
        let first =
            checked.iter().zip(stays).zip(0..).take_while(|((of, stays), at)| of.was == Some(*at) && *stays);
        let first = first.count();
        let from_end = checked.iter().rev().zip((0..before).rev());
        let last = from_end.take_while(|(of, at)| of.was == Some(*at)).count();
        Same { first, last: last.min(before.min(checked.len()).saturating_sub(first)) }
    }

    /// The same program with some rules changed; none if it must be lowered afresh.
    pub(crate) fn again(self, program: &Program, shared: &Shared, same: Same) -> Option<Self> {
        if self.made.len() != self.graph.rules.len() {
            return None;
        }
        let heads = Heads::new(program, shared);
        let state = Self { graph: self.graph.without_matcher(), ..self };
        let mut lowering = Lowering { program, state, numbering: None, asks: true };
        let state = &mut lowering.state;
        let (before, now) = (state.graph.rules.len(), program.rules.len());
        let last_from = before.checked_sub(same.last)?;
        let changed_to = now.checked_sub(same.last)?;
        if same.first > last_from || same.first > changed_to || heads != state.heads {
            return None;
        }
        let made = same.first.checked_sub(1).map_or(Some(&state.made_by_events), |at| state.made.get(at))?;
        // Paths and facts are not numbered again: none may have been made behind the rules that stay.
        if state.made.last().is_some_and(|all| (all.paths, all.facts) != (made.paths, made.facts)) {
            return None;
        }
        lowering.numbering = Some(Numbering { from: made.exprs, ..Numbering::default() });
        let made_before = last_from.checked_sub(1).and_then(|at| state.made.get(at));
        let mut from = made_before.map_or(state.made_by_events.exprs, |made| made.exprs);
        let rest = state.split_off(same.first, last_from);
        let places = program.rules.get(same.first..).unwrap_or_default();
        let (changed, last) = places.split_at_checked(changed_to.saturating_sub(same.first))?;
        changed.iter().for_each(|rule| lowering.rule(rule));
        let (rules, sources, parts, made) = rest;
        let known = rules.into_iter().zip(sources).zip(parts).zip(made);
        for (typed, (((mut rule, mut source), mut parts), made)) in last.iter().zip(known) {
            let own = from..made.exprs;
            from = made.exprs;
            if lowering.number_all(own, &mut rule, &mut source, &mut parts) {
                let moved = Moved { from: source.place, to: typed.place };
                each_place(&mut source, &mut parts, moved);
                let state = &mut lowering.state;
                state.graph.rules.push(rule);
                state.graph.sources.rules.push(source);
                state.parts.push(parts);
                lowering.is_made();
            } else {
                lowering.rule(typed);
            }
        }
        lowering.put_in_order(same.first);
        Some(lowering.state)
    }

    /// Takes away all rules from the first of these places on. Gives those from the second one on.
    fn split_off(&mut self, from: usize, rest_from: usize) -> Rest {
        let sources = &mut self.graph.sources.rules;
        let rest = (
            self.graph.rules.split_off(rest_from),
            sources.split_off(rest_from),
            self.parts.split_off(rest_from),
            self.made.split_off(rest_from),
        );
        self.graph.rules.truncate(from);
        sources.truncate(from);
        self.parts.truncate(from);
        self.made.truncate(from);
        rest
    }
}

impl Lowering<'_> {
    /// Numbers the expressions that a rule made before. False if it needs one that other rules made, and that has no number yet:
    /// then none is given, for its place would be among the rule's own.
    fn number_all(
        &mut self,
        own: std::ops::Range<ExprId>,
        rule: &mut Rule,
        source: &mut RuleSource,
        parts: &mut Parts,
    ) -> bool {
        let Some(numbering) = &mut self.numbering else { return false };
        let mut is_whole = true;
        let mut check = |id: &mut ExprId| {
            is_whole = is_whole && (own.contains(id) || numbering.new_of(*id).is_some());
        };
        each_id(rule, source, parts, &mut check);
        let exprs = self.state.graph.exprs.get_mut(own.start as usize..own.end as usize).unwrap_or_default();
        exprs.iter_mut().for_each(|expr| expr.operands_mut(&mut check));
        if is_whole {
            own.for_each(|id| numbering.number(id));
        }
        is_whole
    }

    /// Puts expressions into the order of their new numbers; those that nobody needs any more are gone.
    fn put_in_order(&mut self, first: usize) {
        let Some(numbering) = self.numbering.take() else { return };
        let state = &mut self.state;
        let graph = &mut state.graph;
        let mut moved = graph.exprs.split_off(numbering.from as usize);
        // What has operands of other numbers has another hash.
        let mut is_other = vec![false; moved.len()];
        for id in &numbering.order {
            let at = id.saturating_sub(numbering.from) as usize;
            let (Some(expr), Some(is_other)) = (moved.get_mut(at), is_other.get_mut(at)) else { continue };
            let mut expr = std::mem::replace(expr, Expr::EventValue(0));
            expr.operands_mut(&mut |id| {
                let before = *id;
                numbering.renumber(id);
                *is_other = *is_other || *id != before;
            });
            graph.exprs.push(expr);
        }
        let mut others = Vec::new();
        state.exprs.retain(|id| {
            let Some(new) = numbering.new_of(*id) else { return false };
            let at = id.checked_sub(numbering.from);
            let is_other = at.and_then(|at| is_other.get(at as usize)).is_some_and(|is_other| *is_other);
            *id = new;
            others.extend(is_other.then_some(new));
            !is_other
        });
        let hash = |id: &ExprId| graph.exprs.get(*id as usize).map_or(0, |expr| state.hashes.hash_one(expr));
        for id in others {
            state.exprs.insert_unique(hash(&id), id, hash);
        }
        for value in &mut state.event_values {
            *value = value.and_then(|id| numbering.new_of(id));
        }
        let rules = graph.rules.iter_mut().zip(&mut graph.sources.rules).zip(&mut state.parts);
        for ((rule, source), parts) in rules.skip(first) {
            each_id(rule, source, parts, &mut |id| numbering.renumber(id));
        }
    }
}

fn each_place(source: &mut RuleSource, parts: &mut Parts, moved: Moved) {
    for conjunct in &mut source.conjuncts {
        moved.shift(&mut conjunct.place);
        conjunct.reads.iter_mut().for_each(|(_, place)| moved.shift(place));
    }
    parts.iter_mut().for_each(|(place, _)| moved.shift(place));
    source.place = moved.to;
}

/// Calls `visit` with every expression that a rule names.
fn each_id(rule: &mut Rule, source: &mut RuleSource, parts: &mut Parts, visit: &mut impl FnMut(&mut ExprId)) {
    rule.exprs_mut(visit);
    for conjunct in &mut source.conjuncts {
        visit(&mut conjunct.expr);
        conjunct.reads.iter_mut().for_each(|(id, _)| visit(id));
    }
    parts.iter_mut().for_each(|(_, id)| visit(id));
}
