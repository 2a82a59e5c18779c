//! Dispatch: from a decided run to its final state, through the steps of the founding post.
//!
//! Comes in: runs in the store. Goes out: steps performed, each on record before and after, results with their run.
//! What is to happen next is decided by a pure state machine (`machine`); `drive` carries its effects out, `queue`
//! says which run is next and how many at once. It never performs a step itself.

mod drive;
mod machine;
mod queue;
mod step;

pub use drive::{Observe, Stops, drive};
pub use machine::{Effect, Failure, Input, Progress, StepEnd, StepReport, Transition, back_off, step};
pub use queue::{Queue, rank, serve, until};
pub use step::{Ending, RunState, Step, UnknownName};
