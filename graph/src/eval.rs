//! Values and conditions of one message, in a logic that knows what it does not know.
//!
//! Comes in: an expression, the chosen dialect, the wanted part of the body, a subject and the facts recorded so far. Goes out:
//! a `Cell`: a value, absent, null, or open. Open carries why: facts that are still to be asked, paths whose value has not the
//! declared shape. `true or open` is true, `false and open` is false, so the order in which parts are looked at never
//! matters, and a fact is asked only where it can still decide. Evaluation always ends: operands stand before their use.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::body::Raw;
use crate::fact::{Answer, FactKey, Facts};
use crate::graph::{CompareOp, Dialect, Expr, ExprId, Graph, Part, Presence, Quantifier, Test};
use crate::index::Keep;
use crate::judgement::Note;
use crate::limits;
use crate::nvr::Nvr;
use crate::value::Value;

/// What stands at a place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Absent,
    Null,
    Value(Value),
    Open(Open),
}

/// Why a place cannot be known yet, or at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Open {
    /// Facts to ask.
    pub(crate) needs: BTreeSet<FactKey>,
    /// Facts that were asked, must have an answer and have none: undecided, unless an `else` follows.
    pub(crate) unanswered: BTreeSet<FactKey>,
    /// Values without their declared shape, for people.
    pub(crate) misfits: BTreeSet<String>,
}

impl Open {
    pub(crate) fn misfit(reason: String) -> Cell {
        Cell::Open(Self { misfits: BTreeSet::from([reason]), ..Self::default() })
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.needs.extend(other.needs);
        self.unanswered.extend(other.unanswered);
        self.misfits.extend(other.misfits);
    }
}

/// Whether a condition holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Truth {
    True,
    False,
    Open(Open),
}

impl Truth {
    fn cell(self) -> Cell {
        match self {
            Self::True => Cell::Value(Value::Bool(true)),
            Self::False => Cell::Value(Value::Bool(false)),
            Self::Open(open) => Cell::Open(open),
        }
    }
}

/// One message as one dialect, and one subject of it.
pub(crate) struct Scene<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) dialect: &'a Dialect,
    pub(crate) body: &'a Raw,
    pub(crate) subject: Option<&'a Raw>,
    pub(crate) facts: &'a dyn Facts,
    /// Values kept for the message, shared by its subjects.
    pub(crate) message_memo: &'a Memo,
    /// Values kept for this subject.
    pub(crate) subject_memo: Memo,
    /// What the quantifiers around are at, outermost first.
    pub(crate) bound: Vec<Cell>,
    pub(crate) notes: &'a RefCell<Vec<Note>>,
    /// Steps that the rule under judgement has taken on this message.
    pub(crate) steps: &'a Cell64,
}

/// A counter that a message's scenes share.
pub(crate) type Cell64 = std::cell::Cell<u64>;

/// Values of expressions already evaluated: how rules share conditions.
#[derive(Debug, Default)]
pub(crate) struct Memo(RefCell<HashMap<ExprId, Cell>>);

impl Scene<'_> {
    /// The value of an expression.
    pub(crate) fn value(&mut self, id: ExprId) -> Cell {
        let keep = self.graph.index().keep.get(id as usize).copied().unwrap_or(Keep::Never);
        let kept = match keep {
            Keep::Message => self.message_memo.0.borrow().get(&id).cloned(),
            Keep::Subject => self.subject_memo.0.borrow().get(&id).cloned(),
            Keep::Never => None,
        };
        if let Some(cell) = kept {
            return cell;
        }
        let cell = self.compute(id);
        if self.steps.get() > limits::STEPS_PER_RULE {
            // Cut short for this rule alone: another one must not read it.
            return cell;
        }
        match keep {
            Keep::Message => drop(self.message_memo.0.borrow_mut().insert(id, cell.clone())),
            Keep::Subject => drop(self.subject_memo.0.borrow_mut().insert(id, cell.clone())),
            Keep::Never => {}
        }
        cell
    }

    /// Whether a condition holds. An optional that is absent does not; the type checker has seen to a guard before it.
    pub(crate) fn truth(&mut self, id: ExprId) -> Truth {
        match self.value(id) {
            Cell::Value(Value::Bool(true)) => Truth::True,
            Cell::Open(open) => Truth::Open(open),
            _ => Truth::False,
        }
    }

    /// Counts steps; says when they are too many.
    fn spend(&self, steps: usize) -> Option<Cell> {
        self.steps.set(self.steps.get().saturating_add(steps as u64));
        (self.steps.get() > limits::STEPS_PER_RULE).then(|| {
            Open::misfit(format!("the rule takes more than {} steps on this message", limits::STEPS_PER_RULE))
        })
    }

    fn compute(&mut self, id: ExprId) -> Cell {
        if let Some(too_many) = self.spend(1) {
            return too_many;
        }
        let graph = self.graph;
        let Some(expr) = graph.exprs.get(id as usize) else { return Cell::Absent };
        match expr {
            Expr::Const(value) => Cell::Value(value.clone()),
            Expr::Path(path) => graph.paths.get(*path as usize).map_or(Cell::Absent, |p| self.path(p)),
            Expr::EventValue(at) => match self.dialect.values.get(*at as usize) {
                Some(Some(definition)) => self.value(*definition),
                _ => Cell::Absent,
            },
            Expr::Bound(depth) => {
                let at = self.bound.len().checked_sub(1).and_then(|n| n.checked_sub(*depth as usize));
                at.and_then(|at| self.bound.get(at)).cloned().unwrap_or(Cell::Absent)
            }
            Expr::Field(record, at) => match self.value(*record) {
                Cell::Value(Value::Record(_, fields)) => {
                    fields.get(*at as usize).cloned().flatten().map_or(Cell::Absent, Cell::Value)
                }
                other => missing_or_open(other),
            },
            Expr::Part(of, part) => match self.value(*of) {
                Cell::Value(value) => part_of(&value, *part),
                other => missing_or_open(other),
            },
            Expr::MakeRecord(record, fields) => self.make_record(*record, fields),
            Expr::MakeNvr(parts) => self.make_nvr(parts),
            Expr::Fact(fact, key) => self.fact(*fact, *key),
            Expr::Else(first, second) => match self.value(*first) {
                Cell::Absent | Cell::Null => self.value(*second),
                Cell::Open(open) if open.needs.is_empty() && open.misfits.is_empty() => self.value(*second),
                other => other,
            },
            Expr::Compare(op, left, right) => self.pair(*left, *right, |a, b| compare(*op, a, b)),
            Expr::In(of, set) => {
                let found = |v: &Value| set.binary_search_by(|x| x.set_order(v)).is_ok();
                self.single(*of, |v| {
                    if matches!(v, Value::Evr(_)) { set.iter().any(|x| x.same(v)) } else { found(v) }
                })
            }
            Expr::InList(of, list) => {
                let length =
                    if let Cell::Value(Value::List(items)) = self.value(*list) { items.len() } else { 0 };
                if let Some(too_many) = self.spend(length) {
                    return too_many;
                }
                self.pair(*of, *list, |v, list| match list {
                    Value::List(items) => items.iter().any(|item| item.same(v)),
                    _ => false,
                })
            }
            Expr::Like(of, pattern) => {
                let glob = graph.index().globs.get(pattern);
                self.single(*of, |v| glob.is_some_and(|g| g.matches(&v.text())))
            }
            Expr::Matches(of, text) => {
                let value = self.value(*of);
                if let Cell::Value(value) = &value
                    && let Some(too_many) = self.spend(value.text().len() / limits::PATTERN_CHARS_PER_STEP)
                {
                    return too_many;
                }
                let pattern = graph.index().regexes.get(text);
                self.single(*of, |v| pattern.is_some_and(|p| p.matches(&v.text())))
            }
            Expr::Test(test, of) => match (self.value(*of), test) {
                (Cell::Open(open), _) => Cell::Open(open),
                (Cell::Value(_), Test::Has) | (Cell::Null, Test::IsNull) | (Cell::Absent, Test::IsAbsent) => {
                    Cell::Value(Value::Bool(true))
                }
                _ => Cell::Value(Value::Bool(false)),
            },
            Expr::Not(of) => match self.truth(*of) {
                Truth::True => Truth::False,
                Truth::False => Truth::True,
                open => open,
            }
            .cell(),
            Expr::And(parts) => self.all(parts.iter().copied(), |scene, part| scene.truth(part)).cell(),
            Expr::Or(parts) => self.any(parts.iter().copied(), |scene, part| scene.truth(part)).cell(),
            Expr::Quantified(quantifier, list, condition) => self.quantified(*quantifier, *list, *condition),
            Expr::Count(list, condition) => self.count(*list, *condition),
        }
    }

    fn single(&mut self, of: ExprId, test: impl FnOnce(&Value) -> bool) -> Cell {
        match self.value(of) {
            Cell::Value(value) => Cell::Value(Value::Bool(test(&value))),
            Cell::Open(open) => Cell::Open(open),
            Cell::Absent | Cell::Null => Cell::Value(Value::Bool(false)),
        }
    }

    fn pair(&mut self, left: ExprId, right: ExprId, test: impl FnOnce(&Value, &Value) -> bool) -> Cell {
        match (self.value(left), self.value(right)) {
            (Cell::Value(a), Cell::Value(b)) => Cell::Value(Value::Bool(test(&a, &b))),
            (Cell::Open(mut a), Cell::Open(b)) => {
                a.merge(b);
                Cell::Open(a)
            }
            (Cell::Open(open), _) | (_, Cell::Open(open)) => Cell::Open(open),
            _ => Cell::Value(Value::Bool(false)),
        }
    }

    /// All parts hold: one false decides, whatever is open.
    fn all<T>(
        &mut self,
        parts: impl Iterator<Item = T>,
        mut truth: impl FnMut(&mut Self, T) -> Truth,
    ) -> Truth {
        let mut open: Option<Open> = None;
        for part in parts {
            match truth(self, part) {
                Truth::True => {}
                Truth::False => return Truth::False,
                Truth::Open(more) => open.get_or_insert_default().merge(more),
            }
        }
        open.map_or(Truth::True, Truth::Open)
    }

    /// One part holds: one true decides, whatever is open.
    fn any<T>(
        &mut self,
        parts: impl Iterator<Item = T>,
        mut truth: impl FnMut(&mut Self, T) -> Truth,
    ) -> Truth {
        let negated = |truth| match truth {
            Truth::True => Truth::False,
            Truth::False => Truth::True,
            open @ Truth::Open(_) => open,
        };
        negated(self.all(parts, |scene, part| negated(truth(scene, part))))
    }

    fn quantified(&mut self, quantifier: Quantifier, list: ExprId, condition: ExprId) -> Cell {
        let items = match self.value(list) {
            Cell::Value(Value::List(items)) => items,
            Cell::Open(open) => return Cell::Open(open),
            _ => Arc::from([]),
        };
        let judge = |scene: &mut Self, item: &Value| {
            scene.bound.push(Cell::Value(item.clone()));
            let truth = scene.truth(condition);
            scene.bound.pop();
            truth
        };
        match quantifier {
            Quantifier::Any => self.any(items.iter(), judge),
            Quantifier::All => self.all(items.iter(), judge),
            Quantifier::None => match self.any(items.iter(), judge) {
                Truth::True => Truth::False,
                Truth::False => Truth::True,
                open @ Truth::Open(_) => open,
            },
        }
        .cell()
    }

    /// How many elements hold the condition; open as long as one of them is.
    fn count(&mut self, list: ExprId, condition: Option<ExprId>) -> Cell {
        let items = match self.value(list) {
            Cell::Value(Value::List(items)) => items,
            Cell::Open(open) => return Cell::Open(open),
            _ => Arc::from([]),
        };
        let Some(condition) = condition else { return int(items.len()) };
        let mut count = 0usize;
        let mut open: Option<Open> = None;
        for item in items.iter() {
            self.bound.push(Cell::Value(item.clone()));
            match self.truth(condition) {
                Truth::True => count = count.saturating_add(1),
                Truth::False => {}
                Truth::Open(more) => open.get_or_insert_default().merge(more),
            }
            self.bound.pop();
        }
        open.map_or_else(|| int(count), Cell::Open)
    }

    fn make_record(&mut self, record: u32, fields: &[Option<ExprId>]) -> Cell {
        let mut values = Vec::with_capacity(fields.len());
        let mut open: Option<Open> = None;
        for field in fields {
            match field.map(|id| self.value(id)) {
                Some(Cell::Value(value)) => values.push(Some(value)),
                Some(Cell::Open(more)) => open.get_or_insert_default().merge(more),
                Some(Cell::Absent | Cell::Null) | None => values.push(None),
            }
        }
        open.map_or_else(|| Cell::Value(Value::Record(record, values.into())), Cell::Open)
    }

    fn make_nvr(&mut self, parts: &[ExprId; 3]) -> Cell {
        let mut open: Option<Open> = None;
        let texts = parts.map(|part| match self.value(part) {
            Cell::Value(value) => value.text(),
            Cell::Open(more) => {
                open.get_or_insert_default().merge(more);
                String::new()
            }
            Cell::Absent | Cell::Null => String::new(),
        });
        if let Some(open) = open {
            return Cell::Open(open);
        }
        let [name, version, release] = &texts;
        match Nvr::new(name, version, release) {
            Some(nvr) => Cell::Value(Value::Nvr(Arc::new(nvr))),
            None => {
                Open::misfit(format!("{name:?}, {version:?} and {release:?} make no name-version-release"))
            }
        }
    }

    fn fact(&mut self, fact: u32, key: ExprId) -> Cell {
        let key = match self.value(key) {
            Cell::Value(value) => value.text(),
            other => return missing_or_open(other),
        };
        let Some(declared) = self.graph.facts.get(fact as usize) else { return Cell::Absent };
        let key = FactKey { fact: declared.name.clone(), key };
        match self.facts.answer(&key) {
            Answer::Known(value) => {
                self.note_unknown(&declared.ty, &value);
                Cell::Value(value)
            }
            Answer::NoSuchKey if declared.presence == Presence::Optional => Cell::Absent,
            Answer::NoSuchKey => Cell::Open(Open { unanswered: BTreeSet::from([key]), ..Open::default() }),
            Answer::NotAsked => Cell::Open(Open { needs: BTreeSet::from([key]), ..Open::default() }),
        }
    }
}

fn int(count: usize) -> Cell {
    Cell::Value(Value::Int(i64::try_from(count).unwrap_or(i64::MAX)))
}

fn missing_or_open(cell: Cell) -> Cell {
    match cell {
        Cell::Open(open) => Cell::Open(open),
        _ => Cell::Absent,
    }
}

fn part_of(value: &Value, part: Part) -> Cell {
    let text = |t: &str| Cell::Value(Value::Text(t.into()));
    match (value, part) {
        (Value::Nvr(nvr), Part::Name) => text(&nvr.name),
        (Value::Nvr(nvr), Part::Version) => text(&nvr.version),
        (Value::Nvr(nvr), Part::Release) => text(&nvr.release),
        (Value::Nvr(nvr), Part::Evr) => Cell::Value(Value::Evr(Arc::new(nvr.evr()))),
        (Value::Evr(evr), Part::Version) => text(&evr.version),
        (Value::Evr(evr), Part::Release) => evr.release.as_deref().map_or(Cell::Absent, text),
        _ => Cell::Absent,
    }
}

fn compare(op: CompareOp, a: &Value, b: &Value) -> bool {
    match op {
        CompareOp::Equal => a.same(b),
        CompareOp::NotEqual => !a.same(b),
        CompareOp::Less => a.order(b).is_some_and(std::cmp::Ordering::is_lt),
        CompareOp::LessOrEqual => a.order(b).is_some_and(std::cmp::Ordering::is_le),
        CompareOp::Greater => a.order(b).is_some_and(std::cmp::Ordering::is_gt),
        CompareOp::GreaterOrEqual => a.order(b).is_some_and(std::cmp::Ordering::is_ge),
    }
}
