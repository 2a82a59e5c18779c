//! The decision graph: the contract between compiler and runtime.
//!
//! Comes in: at review time a `Graph` that the compiler built, which goes out as the artifact's bytes; at run time those
//! bytes, a message's topic and body, and the facts known so far. Goes out: a `Judgement`, the set of runs the message asks
//! for and what still has to be known. Judging is pure: no I/O, no clock, no randomness, and it knows no other room.
//!
//! Stations: `artifact` (the graph as tables, written and mapped), `matcher` (a loaded one), `topic` and `plan` (what a topic asks
//! for), `envelope`, `scan` and `body` (the wanted paths of the message in one pass), `reading` (a path as its type), `lookup` and
//! `index` (from values to the rules they may concern), `scene` and `eval` (values and conditions in three-valued logic),
//! `judge` (events, subjects, rules), `runs` (what a rule asks for), `explain` (the same, told to people).
#![forbid(unsafe_code)]

mod artifact;
mod body;
mod datum;
mod envelope;
mod eval;
mod evr;
mod explain;
mod fact;
mod glob;
mod graph;
mod index;
mod judge;
mod judgement;
pub mod limits;
mod lookup;
mod matcher;
mod nesting;
mod node;
mod nvr;
mod open;
mod pattern;
mod plan;
mod reading;
mod runs;
mod scan;
mod scene;
mod time;
mod topic;
mod types;
mod value;
mod walk;

pub use artifact::LoadError;
pub use body::Body;
pub use envelope::topic_and_body;
pub use evr::{Evr, compare_versions};
pub use explain::{
    Explanation, Holds, OtherEvent, RuleReport, Seen, Unreached, Verdict, explain, probe, unreached,
};
pub use fact::{Answer, FactKey, Facts, NoFacts};
pub use glob::Glob;
pub use graph::*;
pub use judgement::{
    Argument, Ask, Fired, Happening, Judgement, Note, Parked, Reason, Refusal, Run, WindowKeys,
};
pub use matcher::Matcher;
pub use nvr::Nvr;
pub use pattern::Pattern;
pub use time::{parse_time, show_duration, show_time};
pub use topic::{TopicFilter, TopicFilterError, matches as topic_matches};
pub use types::Type;
pub use value::{Value, literal_text, order_for_set};

/// Judges one message whose body may be no JSON; see [`Matcher::judge`].
pub fn judge(graph: &Graph, topic: &str, body: &[u8], facts: &dyn Facts) -> Judgement {
    match Body::check(body) {
        Ok(body) => graph.matcher().judge(topic, body, facts),
        Err(reason) if graph.matcher().waits_for(topic) => {
            let refused = vec![Refusal { event: String::new(), rule: None, reason }];
            Judgement { refused, ..Judgement::default() }
        }
        Err(_) => Judgement::default(),
    }
}
