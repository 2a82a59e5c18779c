//! Windows: what a rule's window says of one request, given what is remembered.
//!
//! Comes in: a request's place in the order of arrival, and what the store remembers of the same rule and key. Goes
//! out: go on, wait until, or give way to which message. Pure: no store, no clock. The order of arrival is the order
//! of rows, which no clock can turn round; spans are counted in times of arrival, so an answer does not depend on when
//! it is asked for: a message that is decided late, because it waited for facts, gets what its place deserves.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::effect::Timestamp;

/// The windows of one rule's request, as plain data with their keys. A request goes through them in the order of the
/// members.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    /// `after D quiet per KEY`
    pub quiet: Option<Keyed>,
    /// `superseding per KEY`: the key.
    pub superseding: Option<String>,
    /// `once per KEY within D`
    pub once: Option<Keyed>,
    /// `at most N per D`
    pub at_most: Option<AtMost>,
}

impl Windows {
    /// Whether there is none: then nothing is remembered of the request.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A window's key, as one text, and its span.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyed {
    /// The key.
    pub key: String,
    /// The span.
    pub span: Duration,
}

/// So many new runs of a rule in any such span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtMost {
    /// Number of runs, at least one.
    pub runs: u32,
    /// The span.
    pub span: Duration,
}

/// A message's place among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// Its row in the store: the order of arrival.
    pub row: i64,
    /// When it was taken from its source.
    pub at: Timestamp,
}

/// What `quiet` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quiet {
    /// A newer message with the key came before it was quiet for long enough.
    Replaced(Arrived),
    /// It goes on at this time, which may be past, if nothing newer comes before.
    Until(Timestamp),
}

/// `once`: the message that went through in place of `asking`; none: `asking` goes through. `passed` are messages that
/// went through with the same key. A message stands in nobody's way for its own further subjects; both directions
/// count, so an older message that is decided late does not go through beside a newer one.
pub fn once(asking: Arrived, span: Duration, passed: impl IntoIterator<Item = Arrived>) -> Option<Arrived> {
    let mut first = None;
    for other in passed {
        if other.row == asking.row {
            return None;
        }
        let apart = other.at.since(asking.at).max(asking.at.since(other.at));
        if apart <= span && first.is_none_or(|first: Arrived| other.row < first.row) {
            first = Some(other);
        }
    }
    first
}

/// `quiet`: whether a request waits, given other messages that asked with the same key, in any order.
pub fn quiet(asking: Arrived, span: Duration, others: impl IntoIterator<Item = Arrived>) -> Quiet {
    let due = asking.at.after(span);
    let newer = others.into_iter().filter(|other| replaces(*other, asking, due));
    newer.min_by_key(|other| other.row).map_or(Quiet::Until(due), Quiet::Replaced)
}

/// Whether a message takes the place of one that waits until `due`. Times of arrival decide: one that came when the
/// wait was over, however late that is noticed, replaces nothing.
pub fn replaces(newer: Arrived, waiting: Arrived, due: Timestamp) -> bool {
    newer.row > waiting.row && newer.at < due
}

/// `at most`: until when a new run of the rule must wait; none: there is room. `made` are the times at which the rule's
/// runs were made, newest first.
pub fn no_room(
    at_most: AtMost,
    made: impl IntoIterator<Item = Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    let full_with = usize::try_from(at_most.runs.max(1) - 1).unwrap_or(usize::MAX);
    let frees = made.into_iter().nth(full_with)?.after(at_most.span);
    (frees > now).then_some(frees)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(row: i64, seconds: i64) -> Arrived {
        Arrived { row, at: Timestamp::from_millis(seconds * 1000) }
    }

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn once_looks_both_ways_and_never_at_its_own_message() {
        let cases: &[(&str, Arrived, &[Arrived], Option<Arrived>)] = &[
            ("the first", at(1, 0), &[], None),
            ("a second", at(2, 10), &[at(1, 0)], Some(at(1, 0))),
            ("exactly at the end is within", at(2, 3600), &[at(1, 0)], Some(at(1, 0))),
            ("after the window", at(2, 3601), &[at(1, 0)], None),
            ("older, decided late", at(1, 0), &[at(2, 10)], Some(at(2, 10))),
            ("older than the window", at(1, 0), &[at(2, 3601)], None),
            ("another subject of the message", at(2, 10), &[at(2, 10)], None),
            ("the clock was set back by more than the window", at(3, 0), &[at(2, 9000)], None),
        ];
        for (what, asking, passed, expected) in cases {
            assert_eq!(once(*asking, HOUR, passed.iter().copied()), *expected, "{what}");
        }
    }

    #[test]
    fn quiet_goes_by_arrival_not_by_when_it_is_asked() {
        let due = |seconds: i64| Quiet::Until(Timestamp::from_millis(seconds * 1000));
        let cases: &[(&str, Arrived, &[Arrived], Quiet)] = &[
            ("alone", at(1, 0), &[], due(3600)),
            ("an older one does not matter", at(2, 10), &[at(1, 0)], due(3610)),
            ("another subject of the message", at(2, 10), &[at(2, 10)], due(3610)),
            ("older, decided late", at(1, 0), &[at(3, 20), at(2, 10)], Quiet::Replaced(at(2, 10))),
            ("the newer one came when it was quiet", at(1, 0), &[at(2, 3600)], due(3600)),
        ];
        for (what, asking, others, expected) in cases {
            assert_eq!(quiet(*asking, HOUR, others.iter().copied()), *expected, "{what}");
        }
    }

    #[test]
    fn there_is_room_when_the_nth_newest_left_the_span() {
        let made = [90, 60, 0].map(|seconds| Timestamp::from_millis(seconds * 1000));
        let at_most = |runs| AtMost { runs, span: Duration::from_secs(100) };
        let wait = |runs, now: i64| no_room(at_most(runs), made, Timestamp::from_millis(now * 1000));
        let until = |seconds: i64| Some(Timestamp::from_millis(seconds * 1000));
        assert_eq!(wait(4, 95), None, "fewer than four were made at all");
        assert_eq!((wait(3, 99), wait(3, 100)), (until(100), None), "a span is open at its old end");
        assert_eq!((wait(2, 159), wait(2, 160)), (until(160), None));
        assert_eq!((wait(1, 95), wait(0, 95)), (until(190), until(190)), "none at all would be for ever");
    }
}
