//! What may stand at one variable's place, given everything that is said of it.
//!
//! Comes in: a variable and its literals. Goes out: a value (or absence) that all of them allow, a proof that there is none, or
//! neither. Finite sets are tried through; ordered types have only as many regions as constants; text is decided by automata.

use taskbot_graph::{CompareOp, Evr, Nvr, Presence, Type, Value};

use super::predicate::{Pred, Said, constants, fits};
use super::variable::Variable;
use super::{Enums, Verdict, text};

/// What stands at a place.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Sample {
    Absent,
    Null,
    Value(Value),
    /// Something is there; which one does not matter, or is not known.
    Something,
}

/// Looks for a sample that everything said allows.
pub(super) fn sample(
    variable: &Variable,
    enums: Enums,
    known: &text::Known,
    said: &[Said<'_>],
) -> Verdict<Sample> {
    let there = said.iter().all(|(pred, holds)| match pred {
        Pred::Has => *holds,
        Pred::IsNull | Pred::IsAbsent => !holds,
        _ => true,
    });
    let on_value: Vec<Said<'_>> = said
        .iter()
        .copied()
        .filter(|(pred, _)| !matches!(pred, Pred::Has | Pred::IsNull | Pred::IsAbsent))
        .collect();
    let value = if there { value(variable, enums, known, &on_value) } else { Verdict::Impossible };
    if let Verdict::Possible(sample) = value {
        return Verdict::Possible(sample);
    }
    if variable.presence == Presence::Optional {
        for (missing, null, absent) in [(Sample::Absent, false, true), (Sample::Null, true, false)] {
            let fits = said.iter().all(|(pred, holds)| {
                let is = match pred {
                    Pred::IsNull => null,
                    Pred::IsAbsent => absent,
                    _ => false,
                };
                is == *holds
            });
            if fits {
                return Verdict::Possible(missing);
            }
        }
    }
    match value {
        Verdict::Unknown => Verdict::Unknown,
        _ => Verdict::Impossible,
    }
}

fn value(variable: &Variable, enums: Enums, known: &text::Known, said: &[Said<'_>]) -> Verdict<Sample> {
    match &variable.ty {
        Type::Bool => among([true, false].map(Value::Bool), said),
        Type::Enum(_) => {
            let mut values: Vec<Value> = variable.listed.iter().map(|v| text_value(v)).collect();
            if enums == Enums::Open {
                values.extend(invented(variable, known, said));
            }
            among(values, said)
        }
        Type::Int | Type::Float | Type::Time | Type::Duration => {
            let (values, complete) = numbers(variable, said);
            or_unknown(among(values, said), complete)
        }
        Type::Evr => evr(variable, said),
        Type::String | Type::Nvr => texts(variable, known, said),
        Type::List(_) => list(said),
        Type::Record(_) | Type::Anything => Verdict::Possible(Sample::Something),
    }
}

fn text_value(text: &str) -> Value {
    Value::Text(text.into())
}

/// The first value that fits; with every value in hand, none means never.
fn among(values: impl IntoIterator<Item = Value>, said: &[Said<'_>]) -> Verdict<Sample> {
    match values.into_iter().find(|v| fits(v, said)) {
        Some(value) => Verdict::Possible(Sample::Value(value)),
        None => Verdict::Impossible,
    }
}

fn or_unknown(verdict: Verdict<Sample>, complete: bool) -> Verdict<Sample> {
    if verdict.is_impossible() && !complete { Verdict::Unknown } else { verdict }
}

/// A value that an enum does not list: text, for patterns to look at.
fn invented(variable: &Variable, known: &text::Known, said: &[Said<'_>]) -> Option<Value> {
    match text::sample(known, &variable.listed, said) {
        Verdict::Possible(text) => Some(text_value(&text)),
        _ => None,
    }
}

/// Every constant, its neighbours, and something in between: one number of each region, so that no region is missed.
fn numbers(variable: &Variable, said: &[Said<'_>]) -> (Vec<Value>, bool) {
    let known = constants(said);
    if variable.ty == Type::Float {
        let mut points: Vec<f64> =
            known.iter().filter_map(|v| if let Value::Float(f) = v { Some(*f) } else { None }).collect();
        points.sort_by(f64::total_cmp);
        let mut out =
            vec![points.first().copied().unwrap_or(2.0) - 1.0, points.last().copied().unwrap_or(0.0) + 1.0];
        out.extend(points.iter().zip(points.iter().skip(1)).map(|(a, b)| a / 2.0 + b / 2.0));
        out.extend(points);
        return (out.into_iter().map(Value::Float).collect(), true);
    }
    let wrap = |n: i64| match variable.ty {
        Type::Time => Value::Time(n),
        Type::Duration => Value::Duration(n),
        _ => Value::Int(n),
    };
    let mut points: Vec<i64> = known
        .iter()
        .filter_map(|v| match v {
            Value::Int(n) | Value::Time(n) | Value::Duration(n) => Some(*n),
            _ => None,
        })
        .flat_map(|n| [n.saturating_sub(1), n, n.saturating_add(1)])
        .collect();
    points.push(if points.is_empty() { 1 } else { 0 });
    points.sort_unstable();
    points.dedup();
    if variable.counts {
        points.retain(|n| *n >= 0);
    }
    (points.into_iter().map(wrap).collect(), true)
}

/// Versions: a point for each constant, and the regions between them. A region in which everything said holds may still hold no
/// version that we find.
fn evr(variable: &Variable, said: &[Said<'_>]) -> Verdict<Sample> {
    let mut points: Vec<&Evr> = constants(said)
        .into_iter()
        .filter_map(|v| if let Value::Evr(e) = v { Some(&**e) } else { None })
        .collect();
    points.sort_by(|a, b| a.compare(b));
    points.dedup_by(|a, b| a == b);
    let mut candidates: Vec<Evr> = Vec::new();
    for point in &points {
        let with = |version: String, release: Option<&str>| Evr {
            epoch: point.epoch,
            version,
            release: release.map(str::to_owned).or_else(|| point.release.clone()),
        };
        candidates.push(with(point.version.clone(), Some("1")));
        candidates.push((*point).clone());
        candidates.push(with(format!("{}~a", point.version), Some("1")));
        candidates.push(with(format!("{}.1", point.version), Some("1")));
        if let Some(release) = &point.release {
            candidates.push(with(point.version.clone(), Some(&format!("{release}~a"))));
            candidates.push(with(point.version.clone(), Some(&format!("{release}.1"))));
        }
    }
    candidates.push(Evr { epoch: 0, version: "1.0".into(), release: Some("1".into()) });
    candidates.push(Evr { epoch: 0, version: "0~a".into(), release: Some("1".into()) });
    candidates.push(Evr { epoch: 0, version: "99999".into(), release: Some("1".into()) });
    if let Some(found) = candidates.into_iter().map(|e| Value::Evr(e.into())).find(|v| fits(v, said)) {
        return Verdict::Possible(Sample::Value(found));
    }
    // A version without release equals every release: then the order is none, and regions prove nothing.
    let (with, without) = points.iter().partition::<Vec<&&Evr>, _>(|e| e.release.is_some());
    let same_version =
        points.iter().zip(points.iter().skip(1)).any(|(a, b)| a.epoch == b.epoch && a.version == b.version);
    if (!with.is_empty() && !without.is_empty()) || (!variable.released && same_version) {
        return Verdict::Unknown;
    }
    let regions = (0..=points.len()).any(|region| {
        said.iter().all(|(pred, holds)| {
            let truth = match pred {
                Pred::Compare(op, Value::Evr(constant)) => {
                    let below = points
                        .iter()
                        .position(|p| p.compare(constant).is_eq())
                        .is_some_and(|at| region <= at);
                    match op {
                        CompareOp::Equal => false,
                        CompareOp::NotEqual => true,
                        CompareOp::Less | CompareOp::LessOrEqual => below,
                        CompareOp::Greater | CompareOp::GreaterOrEqual => !below,
                    }
                }
                _ => false,
            };
            truth == *holds
        })
    });
    if regions { Verdict::Unknown } else { Verdict::Impossible }
}

fn texts(variable: &Variable, known: &text::Known, said: &[Said<'_>]) -> Verdict<Sample> {
    let wrap = |text: &str| match variable.ty {
        Type::Nvr => Nvr::parse(text).map(|n| Value::Nvr(n.into())),
        _ => Some(text_value(text)),
    };
    let finite = said.iter().find_map(|(pred, holds)| match (pred, holds) {
        (Pred::Compare(CompareOp::Equal, value), true)
        | (Pred::Compare(CompareOp::NotEqual, value), false) => Some(std::slice::from_ref(value)),
        (Pred::In(values), true) => Some(&**values),
        _ => None,
    });
    if let Some(values) = finite {
        return among(values.iter().cloned(), said);
    }
    // Some value that looks like one, before automata are asked.
    let usual = ["example", "1.0", "example-1.0-1.fc40", "other", "other-2.0-1.fc41"].map(str::to_owned);
    // A glob with nothing, or a letter, for what it leaves open.
    let globs =
        said.iter().filter_map(
            |(pred, holds)| if let (Pred::Like(glob), true) = (pred, holds) { Some(glob) } else { None },
        );
    let filled = globs.flat_map(|glob| ["", "x"].map(|any| glob.replace('*', any).replace('?', "x")));
    if let Some(found) = usual.into_iter().chain(filled).filter_map(|t| wrap(&t)).find(|v| fits(v, said)) {
        return Verdict::Possible(Sample::Value(found));
    }
    match text::sample(known, &[], said) {
        Verdict::Possible(text) => match wrap(&text).filter(|v| fits(v, said)) {
            Some(value) => Verdict::Possible(Sample::Value(value)),
            None => Verdict::Unknown,
        },
        Verdict::Impossible => Verdict::Impossible,
        Verdict::Unknown => Verdict::Unknown,
    }
}

/// A list that holds what it has to.
fn list(said: &[Said<'_>]) -> Verdict<Sample> {
    let mut items: Vec<Value> = Vec::new();
    for (pred, holds) in said {
        match pred {
            Pred::Contains(value) if *holds && !items.iter().any(|v| v.same(value)) => {
                items.push(value.clone())
            }
            _ => {}
        }
    }
    let denied = |value: &Value| items.iter().any(|v| v.same(value));
    let contradicts = said.iter().any(|(pred, holds)| match pred {
        Pred::Contains(value) => !holds && denied(value),
        _ => false,
    });
    if contradicts {
        return Verdict::Impossible;
    }
    Verdict::Possible(if items.is_empty() {
        Sample::Something
    } else {
        Sample::Value(Value::List(items.into()))
    })
}
