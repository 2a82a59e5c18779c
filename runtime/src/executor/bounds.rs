//! What all processes of one command may use together.
//!
//! Comes in: what a manifest asks for and what the site gives at most. Goes out: the bounds of a run, or that it asks for
//! more than there is. Nothing here enforces anything: control groups bound memory, processes and processors, the
//! minder looks after the disk, and `setrlimit` bounds each single process.

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::spawn::ProcessLimits;

/// Bounds of one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Memory.
    pub memory_bytes: u64,
    /// Processors; none: all that there are.
    pub cpus: Option<u32>,
    /// Processes and threads.
    pub processes: u64,
    /// Bytes in its directories.
    pub disk_bytes: u64,
    /// Files in its directories.
    pub files: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            memory_bytes: limits::TASK_MEMORY_BYTES,
            cpus: None,
            processes: limits::TASK_PROCESSES,
            disk_bytes: limits::TASK_DISK_BYTES,
            files: limits::TASK_FILES,
        }
    }
}

impl Bounds {
    /// What a single process may use at most.
    pub(super) fn of_one_process(&self) -> ProcessLimits {
        ProcessLimits {
            cpu_seconds: Some(limits::TASK_CPU_SECONDS),
            address_space_bytes: Some(limits::TASK_ADDRESS_SPACE_BYTES),
            file_bytes: Some(limits::TASK_FILE_BYTES.min(self.disk_bytes)),
            processes: Some(limits::TASK_PROCESSES),
            open_files: Some(limits::TASK_OPEN_FILES),
        }
    }
}
