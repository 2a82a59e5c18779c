//! The decision graph: the contract between compiler and runtime.
//!
//! Comes in: at review time a `Graph` that the compiler built, which goes out as the artifact's bytes; at run time those
//! bytes, a message's topic and body, and the facts known so far. Goes out: a `Judgement`, the set of runs the message asks
//! for and what still has to be known. Judging is pure: no I/O, no clock, no randomness, and it knows no other room.
//!
//! Stations: `topic` (which part of the topic is judged), `body` (the wanted paths of the message in one pass), `reading` (a
//! path as its type), `eval` (values and conditions in three-valued logic), `judge` (events, subjects, rules, runs), `explain`
//! (the same, told to people).
#![forbid(unsafe_code)]

mod artifact;
mod body;
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
mod nvr;
mod pattern;
mod reading;
mod time;
mod topic;
mod types;
mod value;

pub use artifact::LoadError;
pub use evr::{Evr, compare_versions};
pub use explain::{
    Explanation, Holds, OtherEvent, RuleReport, Seen, Unreached, Verdict, explain, probe, unreached,
};
pub use fact::{Answer, FactKey, Facts, NoFacts};
pub use glob::Glob;
pub use graph::*;
pub use judge::judge;
pub use judgement::{Argument, Ask, Happening, Judgement, Note, Parked, Reason, Refusal, Run, WindowKeys};
pub use nvr::Nvr;
pub use pattern::Pattern;
pub use time::{parse_time, show_duration, show_time};
pub use topic::{TopicFilter, TopicFilterError, matches as topic_matches};
pub use types::Type;
pub use value::{Value, literal_text, order_for_set};
