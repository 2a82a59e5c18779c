//! The daemon: bytes -> verified message -> matches -> decision -> runs -> steps -> results -> sinks.
//!
//! Comes in: a configuration, the artifact's bytes (through a `reload` function that the command gives), deliveries of the
//! sources. Goes out: durable decisions, runs of tasks, results in the store and in the sinks. It never knows the
//! compiler or the language: `graph` is all that the two share.
//!
//! The pipeline reads from top to bottom in `daemon`; each station is a module with one public function.
#![forbid(unsafe_code)]

pub mod admission;
pub mod class;
pub mod config;
pub mod daemon;
pub mod dispatch;
pub mod echo;
pub mod effect;
pub mod executor;
pub mod facts;
pub mod fetch;
mod fingerprint;
pub mod generation;
pub mod held;
pub mod inbox;
pub mod intake;
pub mod limits;
pub mod lock;
pub mod message;
pub mod orders;
pub mod progress;
pub mod publisher;
pub mod sink;
pub mod source;
pub mod spawn;
mod steer;
pub mod steps;
pub mod store;
pub mod supply;
pub mod task;
pub mod worker;
