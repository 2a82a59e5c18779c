//! Whether what an artifact says can be: every reference of it leads somewhere.
//!
//! Comes in: tables and declarations whose checksum holds, which a forger can have made as well. Goes out: nothing, or what is
//! impossible. Nodes refer to earlier nodes only and are not nested too deep, so judging always ends. Places in texts, details
//! and the index are not followed here: the matcher looks at each with its bounds, and what is not there is empty.

use super::LoadError;
use super::tables::{Tables, operands};
use crate::glob::Glob;
use crate::graph::{ArgumentSource, Dialect, Event, Expr, Graph, Path, RecordDef, TaskDef, TopicPlan};
use crate::limits;
use crate::matcher::Declarations;
use crate::node::{Kind, NONE, Operand};
use crate::pattern::Pattern;
use crate::types::Type;

/// Checks what the matcher reads.
pub(crate) fn check(tables: &Tables<'_>, declared: &Declarations) -> Result<(), LoadError> {
    let mut depths: Vec<u16> = Vec::with_capacity(tables.nodes.len());
    let mut literals = tables.words.len();
    for id in 0..super::place(tables.nodes.len()) {
        let node = tables.node(id).ok_or(LoadError::Invalid("expression"))?;
        let mut depth = 1u16;
        operands(tables, node, &mut |operand| {
            let below = match Operand::decode(operand) {
                Operand::Node(id) => depths.get(id as usize).copied().unwrap_or(u16::MAX),
                Operand::Path(path) if path as usize >= declared.paths.len() => u16::MAX,
                Operand::EventValue(_) | Operand::BoundField(..) | Operand::Path(_) => 1,
            };
            depth = depth.max(below.saturating_add(1));
        });
        let known = match node.kind {
            Kind::Path(path) => (path as usize) < declared.paths.len(),
            Kind::Fact(fact, _) => (fact as usize) < declared.facts.len(),
            Kind::MakeRecord(id, fields) | Kind::Record(id, fields) => {
                let per_field = if matches!(node.kind, Kind::Record(..)) { 4 } else { 1 };
                let expected =
                    declared.records.get(id as usize).map(|r| r.fields.len().saturating_mul(per_field));
                expected == Some(fields.len as usize)
            }
            _ => true,
        } && literals_end(tables, node.kind, limits::EXPR_DEPTH, &mut literals);
        if !known || usize::from(depth) > limits::EXPR_DEPTH {
            return Err(LoadError::Invalid("expression"));
        }
        depths.push(depth);
    }
    let nodes = tables.nodes.len();
    let references = References {
        enums: declared.enums.len(),
        records: &declared.records,
        paths: &declared.paths,
        tasks: &declared.tasks,
        events: &declared.events,
        topics: &declared.topics,
        exprs: nodes,
    };
    references.check(declared.facts.iter().map(|f| &f.ty))?;
    let rules = 0..super::place(tables.rules.len());
    for rule in rules.filter_map(|place| tables.rule(place)) {
        let condition = rule.condition == NONE
            || match Operand::decode(rule.condition) {
                Operand::Node(id) => (id as usize) < nodes,
                Operand::Path(path) => (path as usize) < declared.paths.len(),
                Operand::EventValue(_) | Operand::BoundField(..) => true,
            };
        if !condition || rule.event as usize >= declared.events.len() {
            return Err(LoadError::Invalid("rule"));
        }
    }
    if tables.events.len() == declared.events.len() && declared.patterns as usize <= nodes {
        Ok(())
    } else {
        Err(LoadError::Invalid("event"))
    }
}

/// Whether the literals that stand among the words are nested as far as literals are, and all together are no more than the words: each is
/// written for one expression, and only a forged artifact refers to one from many places.
fn literals_end(tables: &Tables<'_>, kind: Kind, depth: usize, left: &mut usize) -> bool {
    let (Kind::In(_, words) | Kind::List(words) | Kind::Record(_, words)) = kind else { return true };
    let (literals, _) = tables.list(words).as_chunks::<4>();
    let Some(rest) = left.checked_sub(literals.len()) else { return false };
    *left = rest;
    depth > 0
        && literals
            .iter()
            .filter_map(|literal| Kind::decode(*literal))
            .all(|kind| literals_end(tables, kind, depth.saturating_sub(1), left))
}

/// What a matcher's declarations and a graph have in common.
struct References<'g> {
    enums: usize,
    records: &'g [RecordDef],
    paths: &'g [Path],
    tasks: &'g [TaskDef],
    events: &'g [Event],
    topics: &'g [TopicPlan],
    exprs: usize,
}

impl References<'_> {
    fn check<'t>(&self, mut facts: impl Iterator<Item = &'t Type>) -> Result<(), LoadError> {
        for (place, record) in self.records.iter().enumerate() {
            let fields = record.fields.iter().all(|f| self.type_known(&f.ty, place));
            if !fields || !record.identity.iter().all(|at| (*at as usize) < record.fields.len()) {
                return Err(LoadError::Invalid("record"));
            }
        }
        let all = self.records.len();
        let params = self.tasks.iter().flat_map(|t| t.params.iter().map(|p| &p.ty));
        let mut types = self.paths.iter().map(|p| &p.ty).chain(params);
        if !types.all(|ty| self.type_known(ty, all)) || !facts.all(|ty| self.type_known(ty, all)) {
            return Err(LoadError::Invalid("type"));
        }
        let mut dialects =
            self.events.iter().flat_map(|event| event.dialects.iter().map(move |d| (event, d)));
        if !dialects.all(|(event, dialect)| self.dialect_known(event, dialect)) {
            return Err(LoadError::Invalid("dialect"));
        }
        if self.topics.iter().flat_map(|t| &t.events).all(|e| (*e as usize) < self.events.len()) {
            Ok(())
        } else {
            Err(LoadError::Invalid("topic"))
        }
    }

    fn dialect_known(&self, event: &Event, dialect: &Dialect) -> bool {
        let happening = dialect.happening.iter().flat_map(|h| &h.key);
        let mut exprs = dialect.condition.iter().chain(dialect.values.iter().flatten()).chain(happening);
        exprs.all(|id| (*id as usize) < self.exprs)
            && dialect.values.len() == event.values.len()
            && dialect.required.iter().all(|p| (*p as usize) < self.paths.len())
    }

    /// A record's fields refer to records before it, so reading one always ends.
    fn type_known(&self, ty: &Type, before: usize) -> bool {
        match ty {
            Type::Enum(id) => (*id as usize) < self.enums,
            Type::Record(id) => (*id as usize) < before,
            Type::List(item) => self.type_known(item, before),
            _ => true,
        }
    }
}

/// Checks a whole graph, as tools read it.
pub(super) fn check_graph(graph: &Graph) -> Result<(), LoadError> {
    let mut depths: Vec<usize> = Vec::with_capacity(graph.exprs.len());
    for expr in &graph.exprs {
        let mut depth = 1;
        let mut earlier = true;
        expr.operands(&mut |id| match depths.get(id as usize) {
            Some(below) => depth = depth.max(below.saturating_add(1)),
            None => earlier = false,
        });
        let known = match expr {
            Expr::Path(p) => (*p as usize) < graph.paths.len(),
            Expr::Fact(f, _) => (*f as usize) < graph.facts.len(),
            Expr::MakeRecord(r, fields) => {
                graph.records.get(*r as usize).is_some_and(|def| def.fields.len() == fields.len())
            }
            Expr::Like(_, pattern) => Glob::new(pattern).is_ok(),
            Expr::Matches(_, text) => Pattern::new(text).is_ok(),
            Expr::In(_, set) => set.is_sorted_by(|a, b| a.set_order(b).is_le()),
            _ => true,
        };
        if !earlier || !known || depth > limits::EXPR_DEPTH {
            return Err(LoadError::Invalid("expression"));
        }
        depths.push(depth);
    }
    let references = References {
        enums: graph.enums.len(),
        records: &graph.records,
        paths: &graph.paths,
        tasks: &graph.tasks,
        events: &graph.events,
        topics: &graph.topics,
        exprs: graph.exprs.len(),
    };
    references.check(graph.facts.iter().map(|f| &f.ty))?;
    check_rules(graph)
}

fn check_rules(graph: &Graph) -> Result<(), LoadError> {
    let expr = |id: &u32| (*id as usize) < graph.exprs.len();
    for rule in &graph.rules {
        let actions = rule.actions.iter().all(|action| {
            let params = graph.tasks.get(action.task as usize).map(|t| t.params.len());
            params == Some(action.arguments.len())
                && action.arguments.iter().all(|a| match a {
                    ArgumentSource::Axis(at) => (*at as usize) < rule.axes.len(),
                    ArgumentSource::Expr(id) => expr(id),
                    ArgumentSource::Default => true,
                })
        });
        let known = (rule.event as usize) < graph.events.len()
            && rule.condition.iter().chain(rule.axes.iter().map(|a| &a.list)).all(expr)
            && rule.except.iter().all(|e| e.len() == rule.axes.len());
        let mut keys = true;
        rule.clauses.keys(&mut |id| keys = keys && expr(&id));
        if !actions || !known || !keys {
            return Err(LoadError::Invalid("rule"));
        }
    }
    let topics = graph.topics.iter().all(|t| t.events.iter().all(|e| (*e as usize) < graph.events.len()));
    let files = graph.sources.files.len();
    let places = graph
        .sources
        .rules
        .iter()
        .all(|r| (r.place.file as usize) < files && r.conjuncts.iter().all(|c| expr(&c.expr)));
    if !topics || !places {
        return Err(LoadError::Invalid("place"));
    }
    Ok(())
}
