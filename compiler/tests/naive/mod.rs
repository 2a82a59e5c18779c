//! A naive evaluator of the typed tree, for tests only: what the decision graph must agree with.
//!
//! Comes in: a typed program, a topic, a body as a JSON tree, the facts known. Goes out: the runs asked for, what waits for
//! facts, what is refused, as sorted text. It shares no code with the matcher but the values' own parsing and order: no
//! indexes, no sharing, no single pass; every rule is walked as it was written.

mod reading;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use taskbot_compiler::{Program, TypedArgument, TypedDialect, TypedEvent, TypedExpr, TypedKind, TypedRule};
use taskbot_graph::{
    Answer, CompareOp, FactKey, Glob, Nvr, Part, Presence, Quantifier, Root, Scope, Test, Value,
    topic_matches,
};

/// Everything a message asks for, as sorted lines.
pub fn judge(
    program: &Program,
    topic: &str,
    body: &Json,
    facts: &BTreeMap<FactKey, Answer>,
) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for (place, event) in program.events.iter().enumerate() {
        let rules: Vec<&TypedRule> = program.rules.iter().filter(|r| r.event == place).collect();
        if rules.is_empty()
            || !event.dialects.iter().any(|d| d.topics.iter().any(|t| t == topic || topic_matches(t, topic)))
        {
            continue;
        }
        let Some(dialect) = choose(program, event, topic, body, facts, &mut lines) else { continue };
        let subjects = dialect
            .subjects
            .as_ref()
            .map(|steps| steps.iter().fold(body, |at, step| &at[step]).as_array().unwrap());
        for rule in rules {
            let rows: Vec<Option<&Json>> = match (rule.scope, subjects) {
                (Scope::Subject, Some(rows)) => rows.iter().map(Some).collect(),
                _ => vec![None],
            };
            for (at, row) in rows.into_iter().enumerate() {
                let scene = Scene { program, dialect, body, row, facts, bound: Vec::new() };
                let label =
                    format!("{}[{}]", rule.name, if row.is_some() { at.to_string() } else { "-".into() });
                rule_lines(&scene, rule, &label, &mut lines);
            }
        }
    }
    lines
}

fn rule_lines(scene: &Scene<'_>, rule: &TypedRule, label: &str, lines: &mut BTreeSet<String>) {
    let holds = rule.condition.as_ref().map_or(Truth::True, |c| scene.truth(c));
    let result = match holds {
        Truth::False => return,
        Truth::Open(open) => Err(open),
        Truth::True => scene.runs(rule),
    };
    match result {
        Ok(runs) => lines.extend(runs.into_iter().map(|run| format!("{label} runs {run}"))),
        Err(open) if open.facts.is_empty() => drop(lines.insert(format!("{label} refused"))),
        Err(open) => drop(lines.insert(format!("{label} waits for {:?}", open.facts))),
    }
}

fn choose<'p>(
    program: &'p Program,
    event: &'p TypedEvent,
    topic: &str,
    body: &Json,
    facts: &BTreeMap<FactKey, Answer>,
    lines: &mut BTreeSet<String>,
) -> Option<&'p TypedDialect> {
    let (mut misfit, mut other) = (false, false);
    for dialect in
        event.dialects.iter().filter(|d| d.topics.iter().any(|t| t == topic || topic_matches(t, topic)))
    {
        let scene = Scene { program, dialect, body, row: None, facts, bound: Vec::new() };
        match dialect.condition.as_ref().map_or(Truth::True, |c| scene.truth(c)) {
            Truth::False => other = true,
            Truth::Open(_) => misfit = true,
            Truth::True if fits(&scene) => return Some(dialect),
            Truth::True => misfit = true,
        }
    }
    if misfit || !other {
        lines.insert(format!("event {} refused", event.name));
    }
    None
}

fn fits(scene: &Scene<'_>) -> bool {
    let rows = match &scene.dialect.subjects {
        None => Vec::new(),
        Some(steps) => {
            let mut at = scene.body;
            for step in steps {
                match at.get(step) {
                    Some(below) if at.is_object() => at = below,
                    _ => return false,
                }
            }
            let Some(rows) = at.as_array() else { return false };
            rows.iter().collect()
        }
    };
    scene.dialect.required.iter().all(|path| match path.root {
        Root::Body | Root::Raw => matches!(scene.path(path), Cell::Is(_)),
        Root::Subject => {
            rows.iter().all(|row| matches!(Scene { row: Some(row), ..scene.clone() }.path(path), Cell::Is(_)))
        }
    })
}

#[derive(Clone, Debug, Default)]
pub struct Open {
    facts: BTreeSet<FactKey>,
    unanswered: bool,
    misfit: bool,
}

enum Cell {
    Absent,
    Null,
    Is(Value),
    Open(Open),
}

enum Truth {
    True,
    False,
    Open(Open),
}

#[derive(Clone)]
struct Scene<'a> {
    program: &'a Program,
    dialect: &'a TypedDialect,
    body: &'a Json,
    row: Option<&'a Json>,
    facts: &'a BTreeMap<FactKey, Answer>,
    bound: Vec<Value>,
}

fn is(value: bool) -> Cell {
    Cell::Is(Value::Bool(value))
}

fn misfit() -> Cell {
    Cell::Open(Open { misfit: true, ..Open::default() })
}

fn join(a: Open, b: Open) -> Open {
    Open {
        facts: a.facts.into_iter().chain(b.facts).collect(),
        unanswered: a.unanswered || b.unanswered,
        misfit: a.misfit || b.misfit,
    }
}

impl Scene<'_> {
    fn truth(&self, expr: &TypedExpr) -> Truth {
        match self.eval(expr) {
            Cell::Is(Value::Bool(true)) => Truth::True,
            Cell::Open(open) => Truth::Open(open),
            _ => Truth::False,
        }
    }

    /// Kleene's `and`; the caller negates for `or`.
    fn all<'x>(parts: impl Iterator<Item = Truth> + 'x) -> Truth {
        let parts: Vec<Truth> = parts.collect();
        if parts.iter().any(|p| matches!(p, Truth::False)) {
            return Truth::False;
        }
        let open: Vec<Open> =
            parts.into_iter().filter_map(|p| if let Truth::Open(o) = p { Some(o) } else { None }).collect();
        open.into_iter().reduce(join).map_or(Truth::True, Truth::Open)
    }

    fn not(truth: Truth) -> Truth {
        match truth {
            Truth::True => Truth::False,
            Truth::False => Truth::True,
            open @ Truth::Open(_) => open,
        }
    }

    fn cell(truth: Truth) -> Cell {
        match truth {
            Truth::True => is(true),
            Truth::False => is(false),
            Truth::Open(open) => Cell::Open(open),
        }
    }

    fn eval(&self, expr: &TypedExpr) -> Cell {
        match &expr.kind {
            TypedKind::Const(value) => Cell::Is(value.clone()),
            TypedKind::List(values) => Cell::Is(Value::List(values.clone().into())),
            TypedKind::Path(path) => self.path(path),
            TypedKind::EventValue(at) => {
                self.dialect.values[*at].as_ref().map_or(Cell::Absent, |e| self.eval(e))
            }
            TypedKind::Bound(depth) => Cell::Is(self.bound[self.bound.len() - 1 - *depth as usize].clone()),
            TypedKind::Field(of, at) => self.then(of, |v| match v {
                Value::Record(_, fields) => fields[*at as usize].clone().map_or(Cell::Absent, Cell::Is),
                _ => Cell::Absent,
            }),
            TypedKind::Part(of, part) => self.then(of, |v| match (v, part) {
                (Value::Nvr(n), Part::Name) => Cell::Is(Value::Text(n.name.as_str().into())),
                (Value::Nvr(n), Part::Version) => Cell::Is(Value::Text(n.version.as_str().into())),
                (Value::Nvr(n), Part::Release) => Cell::Is(Value::Text(n.release.as_str().into())),
                (Value::Nvr(n), Part::Evr) => Cell::Is(Value::Evr(n.evr().into())),
                (Value::Evr(e), Part::Version) => Cell::Is(Value::Text(e.version.as_str().into())),
                (Value::Evr(e), Part::Release) => {
                    e.release.as_deref().map_or(Cell::Absent, |r| Cell::Is(Value::Text(r.into())))
                }
                _ => Cell::Absent,
            }),
            TypedKind::MakeRecord(id, fields) => {
                let cells: Vec<Option<Cell>> =
                    fields.iter().map(|f| f.as_ref().map(|f| self.eval(f))).collect();
                let open: Option<Open> = cells
                    .iter()
                    .flatten()
                    .filter_map(|c| if let Cell::Open(o) = c { Some(o.clone()) } else { None })
                    .reduce(join);
                let values =
                    cells.into_iter().map(|c| if let Some(Cell::Is(v)) = c { Some(v) } else { None });
                open.map_or_else(|| Cell::Is(Value::Record(*id, values.collect())), Cell::Open)
            }
            TypedKind::MakeNvr(parts) => {
                let cells = [self.eval(&parts[0]), self.eval(&parts[1]), self.eval(&parts[2])];
                match &cells {
                    [Cell::Is(a), Cell::Is(b), Cell::Is(c)] => Nvr::new(&a.text(), &b.text(), &c.text())
                        .map_or_else(misfit, |n| Cell::Is(Value::Nvr(n.into()))),
                    _ => misfit(),
                }
            }
            TypedKind::Fact(at, key) => self.then(key, |key| {
                let declared = &self.program.facts[*at];
                let key = FactKey { fact: declared.name.clone(), key: key.text() };
                match self.facts.get(&key) {
                    Some(Answer::Known(value)) => Cell::Is(value.clone()),
                    Some(Answer::NoSuchKey) if declared.presence == Presence::Optional => Cell::Absent,
                    Some(Answer::NoSuchKey) => {
                        Cell::Open(Open { facts: [key].into(), unanswered: true, misfit: false })
                    }
                    _ => Cell::Open(Open { facts: [key].into(), ..Open::default() }),
                }
            }),
            TypedKind::Else(first, second) => match self.eval(first) {
                Cell::Absent | Cell::Null => self.eval(second),
                Cell::Open(open) if open.unanswered && open.facts.len() == 1 && !open.misfit => {
                    self.eval(second)
                }
                other => other,
            },
            TypedKind::Compare(op, a, b) => self.both(a, b, |a, b| match op {
                CompareOp::Equal => a.same(b),
                CompareOp::NotEqual => !a.same(b),
                CompareOp::Less => a.order(b).is_some_and(|o| o.is_lt()),
                CompareOp::LessOrEqual => a.order(b).is_some_and(|o| o.is_le()),
                CompareOp::Greater => a.order(b).is_some_and(|o| o.is_gt()),
                CompareOp::GreaterOrEqual => a.order(b).is_some_and(|o| o.is_ge()),
            }),
            TypedKind::In(of, values) => self.test(of, |v| values.iter().any(|x| x.same(v))),
            TypedKind::InList(of, list) => self.both(of, list, |v, list| match list {
                Value::List(items) => items.iter().any(|x| x.same(v)),
                _ => false,
            }),
            TypedKind::Like(of, pattern) => self.test(of, |v| Glob::new(pattern).unwrap().matches(&v.text())),
            TypedKind::Matches(of, pattern) => {
                self.test(of, |v| regex::Regex::new(pattern).unwrap().is_match(&v.text()))
            }
            TypedKind::Count(list, condition) => self.then_list(list, |items| {
                let mut count = 0;
                let mut open: Option<Open> = None;
                for item in items {
                    let mut inner = self.clone();
                    inner.bound.push(item.clone());
                    match condition.as_ref().map_or(Truth::True, |c| inner.truth(c)) {
                        Truth::True => count += 1,
                        Truth::False => {}
                        Truth::Open(more) => {
                            open = Some(open.map_or(more.clone(), |known| join(known, more)));
                        }
                    }
                }
                open.map_or(Cell::Is(Value::Int(count)), Cell::Open)
            }),
            TypedKind::Test(test, of) => match (self.eval(of), test) {
                (Cell::Open(open), _) => Cell::Open(open),
                (Cell::Is(_), Test::Has) | (Cell::Null, Test::IsNull) | (Cell::Absent, Test::IsAbsent) => {
                    is(true)
                }
                _ => is(false),
            },
            TypedKind::Not(of) => Self::cell(Self::not(self.truth(of))),
            TypedKind::And(parts) => Self::cell(Self::all(parts.iter().map(|p| self.truth(p)))),
            TypedKind::Or(parts) => {
                Self::cell(Self::not(Self::all(parts.iter().map(|p| Self::not(self.truth(p))))))
            }
            TypedKind::Quantified(quantifier, list, condition) => self.then_list(list, |items| {
                let truths = items.iter().map(|item| {
                    let mut inner = self.clone();
                    inner.bound.push(item.clone());
                    inner.truth(condition)
                });
                Self::cell(match quantifier {
                    Quantifier::All => Self::all(truths),
                    Quantifier::Any => Self::not(Self::all(truths.map(Self::not))),
                    Quantifier::None => Self::all(truths.map(Self::not)),
                })
            }),
        }
    }

    fn then(&self, of: &TypedExpr, f: impl FnOnce(&Value) -> Cell) -> Cell {
        match self.eval(of) {
            Cell::Is(value) => f(&value),
            Cell::Open(open) => Cell::Open(open),
            _ => Cell::Absent,
        }
    }

    fn then_list(&self, of: &TypedExpr, f: impl FnOnce(&[Value]) -> Cell) -> Cell {
        match self.eval(of) {
            Cell::Is(Value::List(items)) => f(&items),
            Cell::Open(open) => Cell::Open(open),
            _ => f(&[]),
        }
    }

    fn test(&self, of: &TypedExpr, f: impl FnOnce(&Value) -> bool) -> Cell {
        match self.eval(of) {
            Cell::Is(value) => is(f(&value)),
            Cell::Open(open) => Cell::Open(open),
            _ => is(false),
        }
    }

    fn both(&self, a: &TypedExpr, b: &TypedExpr, f: impl FnOnce(&Value, &Value) -> bool) -> Cell {
        match (self.eval(a), self.eval(b)) {
            (Cell::Is(a), Cell::Is(b)) => is(f(&a, &b)),
            (Cell::Open(a), Cell::Open(b)) => Cell::Open(join(a, b)),
            (Cell::Open(open), _) | (_, Cell::Open(open)) => Cell::Open(open),
            _ => is(false),
        }
    }

    fn runs(&self, rule: &TypedRule) -> Result<Vec<String>, Open> {
        let mut axes = Vec::new();
        for (_, list) in &rule.axes {
            match self.eval(list) {
                Cell::Is(Value::List(items)) => axes.push(items.to_vec()),
                Cell::Open(open) => return Err(open),
                _ => axes.push(Vec::new()),
            }
        }
        let mut combinations: Vec<Vec<Value>> = vec![Vec::new()];
        for axis in &axes {
            combinations = combinations
                .iter()
                .flat_map(|c| axis.iter().map(move |v| c.iter().cloned().chain([v.clone()]).collect()))
                .collect();
        }
        let excluded = |c: &[Value]| {
            rule.except.iter().any(|e| e.iter().zip(c).all(|(e, v)| e.as_ref().is_none_or(|e| e.same(v))))
        };
        combinations.retain(|c| !excluded(c));
        let mut runs = Vec::new();
        for (task, arguments) in &rule.actions {
            let task = &self.program.tasks[*task];
            for combination in &combinations {
                let mut texts = Vec::new();
                for (param, argument) in task.params.iter().zip(arguments) {
                    let cell = match argument {
                        TypedArgument::Axis(at) => Cell::Is(combination[*at].clone()),
                        TypedArgument::Expr(expr) => self.eval(expr),
                        TypedArgument::Default => param.default.clone().map_or(Cell::Absent, Cell::Is),
                    };
                    match cell {
                        Cell::Is(value) => {
                            let text =
                                self.identity(&value).ok_or(Open { misfit: true, ..Open::default() })?;
                            texts.push(format!("{}: {}", param.name, Json::from(text)));
                        }
                        Cell::Open(open) => return Err(open),
                        _ => {}
                    }
                }
                runs.push(format!("{}({})", task.name, texts.join(", ")));
            }
        }
        Ok(runs)
    }

    fn identity(&self, value: &Value) -> Option<String> {
        match value {
            Value::Record(id, fields) => {
                let record = &self.program.records[*id as usize];
                record
                    .identity
                    .iter()
                    .find_map(|at| fields[*at as usize].as_ref())
                    .and_then(|v| self.identity(v))
            }
            other => Some(other.text()),
        }
    }
}
