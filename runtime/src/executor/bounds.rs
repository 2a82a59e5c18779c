//! What all processes of one command may use together.
//!
//! Comes in: what a manifest asks for and what the site gives at most. Goes out: the bounds of a run, or that it asks for
//! more than there is. Nothing here enforces anything: control groups bound memory, processes and processors, the
//! minder looks after the disk, and `setrlimit` bounds each single process.

use serde::{Deserialize, Serialize};

use crate::config;
use crate::limits;
use crate::spawn::ProcessLimits;
use crate::task::manifest::Environment;

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
    /// What a site gives one run.
    pub fn of_site(site: &config::Executor) -> Self {
        Self {
            memory_bytes: site.memory_bytes,
            cpus: site.cpus,
            disk_bytes: site.disk_bytes,
            ..Self::default()
        }
    }

    /// The bounds that a manifest asks for, within these of its site.
    ///
    /// # Errors
    /// What it asks for more of, for people.
    pub fn asked_by(&self, environment: &Environment) -> Result<Self, String> {
        let bytes = |what: &str, asked: Option<u64>, most: u64| match asked {
            Some(asked) if asked > most => Err(format!(
                "it needs {} MiB of {what}, and here a run may use {} MiB (`executor.{what}`)",
                asked >> 20,
                most >> 20
            )),
            asked => Ok(asked.unwrap_or(most)),
        };
        if let (Some(asked), Some(most)) =
            (environment.cpus, self.cpus.filter(|most| environment.cpus > Some(*most)))
        {
            return Err(format!(
                "it needs {asked} processors, and here a run may use {most} (`executor.cpus`)"
            ));
        }
        Ok(Self {
            memory_bytes: bytes("memory", environment.memory_bytes, self.memory_bytes)?,
            disk_bytes: bytes("disk", environment.disk_bytes, self.disk_bytes)?,
            cpus: environment.cpus.or(self.cpus),
            ..*self
        })
    }

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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::task::manifest::{Destructive, EnvironmentKind, Network};

    #[test]
    fn a_manifest_asks_within_what_the_site_gives() {
        let site = Bounds { memory_bytes: 4 << 30, cpus: Some(2), ..Bounds::default() };
        let nothing = Environment {
            kind: EnvironmentKind::Sandbox,
            image: None,
            memory_bytes: None,
            cpus: None,
            disk_bytes: None,
            network: Network::None,
            destructive: Destructive::No,
        };
        assert_eq!(site.asked_by(&nothing), Ok(site));
        let less = Environment { memory_bytes: Some(1 << 20), cpus: Some(1), ..nothing.clone() };
        let given = site.asked_by(&less).unwrap();
        assert_eq!((given.memory_bytes, given.cpus, given.disk_bytes), (1 << 20, Some(1), site.disk_bytes));
        for (more, said) in [
            (Environment { memory_bytes: Some(5 << 30), ..nothing.clone() }, "5120 MiB of memory"),
            (Environment { disk_bytes: Some(1 << 40), ..nothing.clone() }, "of disk"),
            (Environment { cpus: Some(3), ..nothing.clone() }, "3 processors"),
        ] {
            let error = site.asked_by(&more).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
