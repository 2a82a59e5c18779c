//! Figures of the matcher: the work, a naive reference, and what is measured.
//!
//! Comes in: a seed and a vocabulary. Goes out: rules and messages in the shape of a distribution's bus (`workload`), what must come out
//! (`naive`), what comes out (`ours`), and a table. Nothing is measured before the results are equal. The generator knows nothing
//! of the matcher, and nothing in the matcher may be tuned to it: others run it with other seeds and another vocabulary.
#![forbid(unsafe_code)]

pub mod dice;
pub mod digest;
pub mod draw;
pub mod measure;
pub mod message;
pub mod naive;
pub mod ours;
pub mod program;
pub mod rule;
pub mod shape;
pub mod stopwatch;
pub mod table;
pub mod targets;
pub mod vocabulary;
pub mod workload;
