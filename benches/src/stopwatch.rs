//! Time that this thread has computed, whatever else the machine did meanwhile.
//!
//! Comes in: nothing. Goes out: processor time since a start. On a machine shared with others it says far more than a clock on the
//! wall; waiting is not in it, but nothing here waits.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Processor time since it was started.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Duration);

impl Stopwatch {
    /// Starts.
    pub fn start() -> Self {
        Self(now())
    }

    /// What this thread has computed since.
    pub fn elapsed(self) -> Duration {
        now().saturating_sub(self.0)
    }
}

fn now() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
