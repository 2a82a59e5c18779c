//! The daemon: bytes -> verified message -> matches -> decision -> runs -> steps -> results -> sinks.
//!
//! Comes in: a configuration, the artifact's bytes (through a `reload` function that the command gives), deliveries of the
//! sources. Goes out: durable decisions, runs of tasks, results in the store and in the sinks. It never knows the
//! compiler or the language: `graph` is all that the two share.
//!
//! The pipeline reads from top to bottom in `daemon`; each station is a module with one public function.
#![forbid(unsafe_code)]

pub mod class;
pub mod executor;
pub mod fetch;
pub mod intake;
pub mod limits;
pub mod message;
pub mod publisher;
pub mod source;
pub mod spawn;
pub mod task;
pub mod worker;
