//! Values and conditions of one message, in a logic that knows what it does not know.
//!
//! Comes in: an expression and a scene: the chosen dialect, the wanted part of the body, a subject and the facts recorded so far.
//! Goes out: a `Cell`: a value, absent, null, or open. Open carries why: facts that are still to be asked, paths whose value has not the
//! declared shape. `true or open` is true, `false and open` is false, so the order in which parts are looked at never
//! matters, and a fact is asked only where it can still decide. Evaluation always ends: operands stand before their use.

use crate::datum::{Datum, set_hash};
use crate::evr::EvrParts;
use crate::fact::{Answer, FactKey};
use crate::glob;
use crate::graph::{CompareOp, Part, Presence, Quantifier, Test};
use crate::limits;
use crate::node::{FEW_TEXTS, Keep, Kind, NONE, NodeId, Operand, Words, Worth};
use crate::nvr::NvrParts;
use crate::open::{Misfit, Only, Open};
use crate::scene::{Cell, Scene, Truth};

impl<'m> Scene<'m> {
    /// The value of an expression.
    #[inline]
    pub(crate) fn value(&mut self, id: NodeId) -> Cell<'m> {
        match Operand::decode(id) {
            Operand::EventValue(at) => self.event_value(at),
            Operand::BoundField(depth, at) => self.bound_field(depth, at),
            Operand::Path(path) => self.path(path),
            Operand::Node(id) => self.node_value(id),
        }
    }

    /// A value of the event, as the dialect defines it.
    #[inline]
    fn event_value(&mut self, at: u32) -> Cell<'m> {
        if let Some(cell) = self.value_path(at) {
            return cell;
        }
        match self.values.get(at as usize) {
            Some(Some(cell)) => *cell,
            Some(None) => self.define(at),
            None => Cell::Absent,
        }
    }

    fn define(&mut self, at: u32) -> Cell<'m> {
        let definition = self.dialect.values.get(at as usize).copied().flatten();
        let node = definition.and_then(|id| self.tables.packed(id));
        let cell = match (definition, node.and_then(Kind::decode)) {
            (_, Some(Kind::Path(path))) => return self.path(path),
            // A dialect defines no value by another one; a forged one that does says nothing.
            (_, Some(Kind::EventValue(_)) | None) | (None, _) => Cell::Absent,
            (Some(id), Some(_)) => self.node_value(id),
        };
        // A rule that was cut short must not tell others what it did not find.
        if let Some(value) = self.values.get_mut(at as usize).filter(|_| self.steps <= limits::STEPS_PER_RULE)
        {
            *value = Some(cell);
        }
        cell
    }

    #[inline]
    fn bound_field(&self, depth: u32, at: u32) -> Cell<'m> {
        self.bound_at(depth).map_or(Cell::Absent, |record| field(record, at))
    }

    fn node_value(&mut self, id: NodeId) -> Cell<'m> {
        let Some(node) = self.tables.packed(id) else { return Cell::Absent };
        if Worth::decode(node) == Worth::Computing {
            return self.compute(id, node);
        }
        let keep = Keep::decode(node);
        if let Some(cell) = self.kept(id, keep) {
            return cell;
        }
        let cell = self.compute(id, node);
        self.keep(id, keep, cell);
        cell
    }

    /// Whether a condition holds. An optional that is absent does not; the type checker has seen to a guard before it.
    #[inline]
    pub(crate) fn truth(&mut self, id: NodeId) -> Truth<'m> {
        match self.tables.packed(id) {
            Some(node) if Worth::decode(node) == Worth::Computing => self.holds(id, node),
            _ => self.value(id).truth(),
        }
    }

    /// Counts steps; says when they are too many.
    #[inline]
    pub(crate) fn spend(&mut self, steps: usize) -> Result<(), &'m Open<'m>> {
        self.steps = self.steps.saturating_add(steps as u64);
        if self.steps > limits::STEPS_PER_RULE { Err(self.too_many_steps()) } else { Ok(()) }
    }

    #[cold]
    fn too_many_steps(&self) -> &'m Open<'m> {
        let text = format!("the rule takes more than {} steps on this message", limits::STEPS_PER_RULE);
        self.memory.alloc(Open::Misfit(Misfit::Text(self.memory.alloc_str(&text))))
    }

    /// The value of a node, whatever was kept of it.
    fn compute(&mut self, id: NodeId, node: [u32; 4]) -> Cell<'m> {
        if let Err(too_many) = self.spend(1) {
            return Cell::Open(too_many);
        }
        let Some(kind) = Kind::decode(node) else { return Cell::Absent };
        match kind {
            Kind::Evr(text) | Kind::Nvr(text) => {
                // It is read anew.
                match self.spend(self.tables.text_bytes(text).len() / limits::TEXT_BYTES_PER_STEP) {
                    Ok(()) => self.constant(kind).map_or(Cell::Absent, Cell::Value),
                    Err(too_many) => Cell::Open(too_many),
                }
            }
            Kind::Path(path) => self.path(path),
            Kind::EventValue(at) => self.event_value(at),
            Kind::Bound(depth) => self.bound_at(depth).map_or(Cell::Absent, Cell::Value),
            Kind::BoundField(depth, at) => self.bound_field(depth, at),
            Kind::Field(record, at) => match self.value(record) {
                Cell::Value(record) => field(record, at),
                other => missing_or_open(other),
            },
            Kind::Part(of, part) => match self.value(of) {
                Cell::Value(value) => self.part_of(value, part),
                other => missing_or_open(other),
            },
            Kind::MakeRecord(record, fields) => self.make_record(record, fields),
            Kind::MakeNvr(parts) => self.make_nvr(parts),
            Kind::Fact(fact, key) => self.fact(fact, key),
            Kind::Else(first, second) => match self.value(first) {
                Cell::Absent | Cell::Null => self.value(second),
                Cell::Open(open) if open.only() == Only::Unanswered => self.value(second),
                other => other,
            },
            Kind::Count(list, condition) => self.count(list, condition),
            kind if kind.is_literal() => self.constant(kind).map_or(Cell::Absent, Cell::Value),
            _ => self.holds(id, node).cell(),
        }
    }

    /// Whether a node holds that is a condition, whatever was kept of it.
    fn holds(&mut self, id: NodeId, node: [u32; 4]) -> Truth<'m> {
        if let Err(too_many) = self.spend(1) {
            return Truth::Open(too_many);
        }
        let Some(kind) = Kind::decode(node) else { return Truth::False };
        match kind {
            Kind::And(parts) => self.all(self.tables.list(parts), |scene, part| scene.truth(*part)),
            Kind::Or(parts) => self.any(self.tables.list(parts), |scene, part| scene.truth(*part)),
            Kind::Not(of) => negated(self.truth(of)),
            Kind::CompareText(op, of, text) => {
                let literal = self.tables.text_bytes(text);
                self.single(of, |_, v| Truth::of(compare_text(op, v, literal)))
            }
            Kind::CompareInt(op, of, n) => self.single(of, |_, v| Truth::of(compare(op, v, Datum::Int(n)))),
            Kind::InTexts(of, set) => self.single(of, |scene, v| Truth::of(scene.in_texts(v, set))),
            Kind::Compare(op, left, right) => self.comparison(op, left, right),
            Kind::In(of, set) => self.in_set(of, set),
            Kind::InList(of, list) => self.in_list(of, list),
            Kind::Like(of, pattern) => self.like(of, self.tables.text(pattern)),
            Kind::Matches(of, text, place) => self.matches(of, text, place),
            Kind::Test(test, of) => match (self.value(of), test) {
                (Cell::Open(open), _) => Truth::Open(open),
                (Cell::Value(_), Test::Has) | (Cell::Null, Test::IsNull) | (Cell::Absent, Test::IsAbsent) => {
                    Truth::True
                }
                _ => Truth::False,
            },
            Kind::Quantified(quantifier, list, condition) => self.quantified(quantifier, list, condition),
            Kind::Path(_) | Kind::EventValue(_) => self.value(id).truth(),
            _ => self.compute(id, node).truth(),
        }
    }

    /// What a quantifier is at: the innermost one, or one further out.
    #[inline]
    fn bound_at(&self, depth: u32) -> Option<Datum<'m>> {
        let at = self.bound.len().checked_sub(1)?.checked_sub(depth as usize)?;
        self.bound.get(at).copied()
    }

    /// A literal; none if it is something else.
    fn constant(&self, kind: Kind) -> Option<Datum<'m>> {
        Some(match kind {
            Kind::Bool(truth) => Datum::Bool(truth),
            Kind::Int(n) => Datum::Int(n),
            Kind::Float(f) => Datum::Float(f),
            Kind::Time(t) => Datum::Time(t),
            Kind::Duration(d) => Datum::Duration(d),
            Kind::Text(text) => Datum::Text(self.tables.text(text)),
            Kind::Evr(text) => Datum::Evr(self.memory.alloc(EvrParts::parse(self.tables.text(text))?)),
            Kind::Nvr(text) => Datum::Nvr(self.memory.alloc(NvrParts::parse(self.tables.text(text))?)),
            Kind::List(items) => {
                let items: Vec<Datum<'m>> = self.constants(items).flatten().collect();
                Datum::List(self.memory.alloc_slice_copy(&items))
            }
            Kind::Record(id, fields) => {
                let fields: Vec<Option<Datum<'m>>> = self.constants(fields).collect();
                Datum::Record(id, self.memory.alloc_slice_copy(&fields))
            }
            _ => return None,
        })
    }

    /// Literals that stand among the words. Loading has seen to it that they end.
    fn constants(&self, words: Words) -> impl Iterator<Item = Option<Datum<'m>>> {
        let (nodes, _) = self.tables.list(words).as_chunks::<4>();
        nodes.iter().map(move |node| self.constant(Kind::decode(*node)?))
    }

    /// Whether a value passes a test; one that is missing does not.
    #[inline]
    fn single(&mut self, of: NodeId, test: impl FnOnce(&mut Self, Datum<'m>) -> Truth<'m>) -> Truth<'m> {
        match self.value(of) {
            Cell::Value(value) => test(self, value),
            Cell::Open(open) => Truth::Open(open),
            Cell::Absent | Cell::Null => Truth::False,
        }
    }

    /// The same of two values.
    fn pair(
        &mut self,
        left: NodeId,
        right: NodeId,
        test: impl FnOnce(&mut Self, Datum<'m>, Datum<'m>) -> Truth<'m>,
    ) -> Truth<'m> {
        match (self.value(left), self.value(right)) {
            (Cell::Value(a), Cell::Value(b)) => test(self, a, b),
            (Cell::Open(a), Cell::Open(b)) => Truth::Open(a.with(b, self.memory)),
            (Cell::Open(open), _) | (_, Cell::Open(open)) => Truth::Open(open),
            _ => Truth::False,
        }
    }

    /// A test that takes so many steps more than one.
    #[inline]
    fn costing(&mut self, steps: usize, test: impl FnOnce(&Self) -> bool) -> Truth<'m> {
        match self.spend(steps) {
            Ok(()) => Truth::of(test(self)),
            Err(too_many) => Truth::Open(too_many),
        }
    }

    fn in_set(&mut self, of: NodeId, set: Words) -> Truth<'m> {
        self.single(of, |scene, value| {
            scene.costing(set.len as usize / limits::LITERALS_PER_STEP, |scene| {
                scene.constants(set).flatten().any(|literal| literal.same(value))
            })
        })
    }

    fn in_texts(&self, value: Datum<'_>, set: Words) -> bool {
        let Datum::Text(text) = value else { return false };
        let is_text = |at: &u32| self.tables.text_bytes(*at) == text.as_bytes();
        let words = self.tables.list(set);
        if words.len() <= FEW_TEXTS {
            return words.iter().any(is_text);
        }
        let (hashes, texts) = words.split_at(words.len().div_ceil(3));
        let hashes = bytemuck::cast_slice::<u32, u16>(hashes).get(..texts.len()).unwrap_or_default();
        let hash = set_hash(text);
        let first = hashes.partition_point(|h| *h < hash);
        let mut alike = hashes.iter().zip(texts).skip(first).take_while(|(h, _)| **h == hash);
        alike.any(|(_, at)| is_text(at))
    }

    fn in_list(&mut self, of: NodeId, list: NodeId) -> Truth<'m> {
        self.pair(of, list, |scene, value, list| {
            let Datum::List(items) = list else { return Truth::False };
            scene.costing(items.len(), |_| items.iter().any(|item| item.same(value)))
        })
    }

    /// Two texts of the message may be long, and be compared for each pair of elements.
    fn comparison(&mut self, op: CompareOp, left: NodeId, right: NodeId) -> Truth<'m> {
        self.pair(left, right, |scene, a, b| {
            let steps = match (a, b) {
                (Datum::Text(a), Datum::Text(b)) => a.len().min(b.len()) / limits::TEXT_BYTES_PER_STEP,
                _ => 0,
            };
            scene.costing(steps, |_| compare(op, a, b))
        })
    }

    /// Where a `*` stands, what follows may be compared at each place of the text.
    fn like(&mut self, of: NodeId, pattern: &str) -> Truth<'m> {
        self.single(of, |scene, value| {
            let text = value.text();
            let pairs = text.len().saturating_mul(pattern.len());
            scene.costing(pairs / limits::GLOB_PAIRS_PER_STEP, |_| glob::matches(pattern, &text))
        })
    }

    fn matches(&mut self, of: NodeId, text: u32, place: u32) -> Truth<'m> {
        let pattern = self.matcher.pattern(place, self.tables.text(text));
        self.single(of, |scene, value| {
            let text = value.text();
            let Some(pattern) = pattern else { return Truth::False };
            let pairs = text.len().saturating_mul(pattern.states());
            scene.costing(pairs / limits::PATTERN_PAIRS_PER_STEP, |_| pattern.matches(&text))
        })
    }

    /// All parts hold: one false decides, whatever is open.
    fn all<T>(&mut self, parts: &[T], mut truth: impl FnMut(&mut Self, &T) -> Truth<'m>) -> Truth<'m> {
        let mut open: Option<&'m Open<'m>> = None;
        for part in parts {
            match truth(self, part) {
                Truth::True => {}
                Truth::False => return Truth::False,
                Truth::Open(more) => open = Some(self.also(open, more)),
            }
        }
        open.map_or(Truth::True, Truth::Open)
    }

    /// One part holds: one true decides, whatever is open.
    fn any<T>(&mut self, parts: &[T], mut truth: impl FnMut(&mut Self, &T) -> Truth<'m>) -> Truth<'m> {
        let mut open: Option<&'m Open<'m>> = None;
        for part in parts {
            match truth(self, part) {
                Truth::True => return Truth::True,
                Truth::False => {}
                Truth::Open(more) => open = Some(self.also(open, more)),
            }
        }
        open.map_or(Truth::False, Truth::Open)
    }

    fn quantified(&mut self, quantifier: Quantifier, list: NodeId, condition: NodeId) -> Truth<'m> {
        let items = match self.value(list) {
            Cell::Value(Datum::List(items)) => items,
            Cell::Open(open) => return Truth::Open(open),
            _ => &[],
        };
        let judge = |scene: &mut Self, item: &Datum<'m>| {
            scene.bound.push(*item);
            let truth = scene.truth(condition);
            scene.bound.pop();
            truth
        };
        match quantifier {
            Quantifier::Any => self.any(items, judge),
            Quantifier::All => self.all(items, judge),
            Quantifier::None => negated(self.any(items, judge)),
        }
    }

    /// How many elements hold the condition; open as long as one of them is.
    fn count(&mut self, list: NodeId, condition: NodeId) -> Cell<'m> {
        let items = match self.value(list) {
            Cell::Value(Datum::List(items)) => items,
            open @ Cell::Open(_) => return open,
            _ => &[],
        };
        if condition == NONE {
            return int(items.len());
        }
        let mut count = 0usize;
        let mut open: Option<&'m Open<'m>> = None;
        for item in items {
            self.bound.push(*item);
            match self.truth(condition) {
                Truth::True => count = count.saturating_add(1),
                Truth::False => {}
                Truth::Open(more) => open = Some(self.also(open, more)),
            }
            self.bound.pop();
        }
        open.map_or_else(|| int(count), Cell::Open)
    }

    fn make_record(&mut self, record: u32, fields: Words) -> Cell<'m> {
        let fields = self.tables.list(fields);
        let values = self.memory.alloc_slice_fill_copy(fields.len(), None);
        let mut open: Option<&'m Open<'m>> = None;
        for (to, field) in values.iter_mut().zip(fields) {
            match if *field == NONE { Cell::Absent } else { self.value(*field) } {
                Cell::Value(value) => *to = Some(value),
                Cell::Open(more) => open = Some(self.also(open, more)),
                Cell::Absent | Cell::Null => {}
            }
        }
        open.map_or(Cell::Value(Datum::Record(record, values)), Cell::Open)
    }

    fn make_nvr(&mut self, parts: [NodeId; 3]) -> Cell<'m> {
        let mut open: Option<&'m Open<'m>> = None;
        let [name, version, release] = parts.map(|part| match self.value(part) {
            Cell::Value(Datum::Text(text)) => text,
            Cell::Value(value) => self.memory.alloc_str(&value.text()),
            Cell::Open(more) => {
                open = Some(self.also(open, more));
                ""
            }
            Cell::Absent | Cell::Null => "",
        });
        if let Some(open) = open {
            return Cell::Open(open);
        }
        match NvrParts::new(name, version, release) {
            Some(nvr) => Cell::Value(Datum::Nvr(self.memory.alloc(nvr))),
            None => {
                let text = format!("{name:?}, {version:?} and {release:?} make no name-version-release");
                self.misfit(Misfit::Text(self.memory.alloc_str(&text)))
            }
        }
    }

    fn part_of(&self, value: Datum<'m>, part: Part) -> Cell<'m> {
        let text = |t: &'m str| Cell::Value(Datum::Text(t));
        match (value, part) {
            (Datum::Nvr(nvr), Part::Name) => text(nvr.name),
            (Datum::Nvr(nvr), Part::Version) => text(nvr.version),
            (Datum::Nvr(nvr), Part::Release) => text(nvr.release),
            (Datum::Nvr(nvr), Part::Evr) => {
                let evr = EvrParts { epoch: 0, version: nvr.version, release: Some(nvr.release) };
                Cell::Value(Datum::Evr(self.memory.alloc(evr)))
            }
            (Datum::Evr(evr), Part::Version) => text(evr.version),
            (Datum::Evr(evr), Part::Release) => evr.release.map_or(Cell::Absent, text),
            _ => Cell::Absent,
        }
    }

    fn fact(&mut self, fact: u32, key: NodeId) -> Cell<'m> {
        let key = match self.value(key) {
            Cell::Value(value) => value.text(),
            other => return missing_or_open(other),
        };
        let Some(declared) = self.matcher.declared.facts.get(fact as usize) else { return Cell::Absent };
        let key = FactKey { fact: declared.name.clone(), key: key.into_owned() };
        let open = match self.facts.answer(&key) {
            Answer::Known(value) => {
                let value = Datum::of(&value, self.memory);
                self.note_unknown(&declared.ty, value);
                return Cell::Value(value);
            }
            Answer::NoSuchKey if declared.presence == Presence::Optional => return Cell::Absent,
            Answer::NoSuchKey => Open::Unanswered(&declared.name, self.memory.alloc_str(&key.key)),
            Answer::NotAsked => Open::Needs(&declared.name, self.memory.alloc_str(&key.key)),
        };
        Cell::Open(self.memory.alloc(open))
    }
}

#[inline]
fn field(record: Datum<'_>, at: u32) -> Cell<'_> {
    match record {
        Datum::Record(_, fields) => {
            fields.get(at as usize).copied().flatten().map_or(Cell::Absent, Cell::Value)
        }
        _ => Cell::Absent,
    }
}

fn negated(truth: Truth<'_>) -> Truth<'_> {
    match truth {
        Truth::True => Truth::False,
        Truth::False => Truth::True,
        open @ Truth::Open(_) => open,
    }
}

fn int<'m>(count: usize) -> Cell<'m> {
    Cell::Value(Datum::Int(i64::try_from(count).unwrap_or(i64::MAX)))
}

fn missing_or_open(cell: Cell<'_>) -> Cell<'_> {
    match cell {
        Cell::Open(open) => Cell::Open(open),
        _ => Cell::Absent,
    }
}

fn compare(op: CompareOp, a: Datum<'_>, b: Datum<'_>) -> bool {
    match op {
        CompareOp::Equal => a.same(b),
        CompareOp::NotEqual => !a.same(b),
        CompareOp::Less => a.order(b).is_some_and(std::cmp::Ordering::is_lt),
        CompareOp::LessOrEqual => a.order(b).is_some_and(std::cmp::Ordering::is_le),
        CompareOp::Greater => a.order(b).is_some_and(std::cmp::Ordering::is_gt),
        CompareOp::GreaterOrEqual => a.order(b).is_some_and(std::cmp::Ordering::is_ge),
    }
}

fn compare_text(op: CompareOp, value: Datum<'_>, literal: &[u8]) -> bool {
    let Datum::Text(text) = value else { return op == CompareOp::NotEqual };
    let text = text.as_bytes();
    match op {
        CompareOp::Equal => text == literal,
        CompareOp::NotEqual => text != literal,
        CompareOp::Less => text < literal,
        CompareOp::LessOrEqual => text <= literal,
        CompareOp::Greater => text > literal,
        CompareOp::GreaterOrEqual => text >= literal,
    }
}
