//! Control groups: what all processes of one command may use together, and a sure way to end them.
//!
//! Comes in: the groups that the daemon itself is in, version 1 or 2. Goes out: a place where groups can be made, found
//! once at start; then one group for each command, with bounds of memory, processes and processor time, removed when the
//! command is over. A group's name holds the process that made it, so that what a crash left is told from what is
//! in use. It moves no process that is not taskbot's own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

use super::Bounds;
use crate::limits;

/// Beginning of a group's name; the process id of its minder follows.
const PREFIX: &str = "taskbot-run-";
/// Where the daemon goes itself, since a group of version 2 holds either processes or groups.
const OWN: &str = "taskbot-daemon";
/// Length of a period in which processor time is shared out.
const PERIOD_MICROSECONDS: u64 = 100_000;

/// Where groups can be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cgroups {
    /// One tree for everything.
    V2(PathBuf),
    /// A tree for each kind of resource.
    V1 {
        /// Bounds memory.
        memory: PathBuf,
        /// Bounds processes.
        pids: PathBuf,
        /// Bounds processor time.
        cpu: PathBuf,
    },
}

impl Cgroups {
    /// Finds where groups can be made, and tries it.
    pub(super) fn find() -> Result<Self, String> {
        let read = |path: &str| fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
        let found = Self::of(&read("/proc/self/mounts")?, &read("/proc/self/cgroup")?)?;
        if let Self::V2(own) = &found {
            delegate(own)?;
        }
        let refused = |error| format!("groups cannot be made ({error}); start the daemon with Delegate=yes");
        let group = Group::make(&found, &Bounds::default(), "trial").map_err(refused)?;
        group.remove();
        Ok(found)
    }

    /// By the mounted trees and the places in them that the daemon has.
    fn of(mounts: &str, places: &str) -> Result<Self, String> {
        let own = |controller: &str| {
            let place = places.lines().find_map(|line| {
                let (_, rest) = line.split_once(':')?;
                let (controllers, path) = rest.split_once(':')?;
                controllers.split(',').any(|name| name == controller).then_some(path)
            })?;
            let tree = mounts.lines().find_map(|line| {
                let [_, tree, kind, options] = line.split(' ').take(4).collect::<Vec<_>>().try_into().ok()?;
                let holds = match controller {
                    "" => kind == "cgroup2",
                    name => kind == "cgroup" && options.split(',').any(|option| option == name),
                };
                holds.then_some(tree)
            })?;
            Some(Path::new(tree).join(place.trim_start_matches('/')))
        };
        if let (Some(memory), Some(pids), Some(cpu)) = (own("memory"), own("pids"), own("cpu")) {
            return Ok(Self::V1 { memory, pids, cpu });
        }
        own("").map(Self::V2).ok_or_else(|| "no control groups are mounted".to_owned())
    }

    fn trees(&self) -> Vec<&PathBuf> {
        match self {
            Self::V2(tree) => vec![tree],
            Self::V1 { memory, pids, cpu } => vec![memory, pids, cpu],
        }
    }

    /// Ends and removes the groups whose minder is gone.
    pub fn sweep(&self) {
        for tree in self.trees() {
            for entry in fs::read_dir(tree).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let minder = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).map(str::to_owned);
                if minder.is_some_and(|minder| !Path::new("/proc").join(minder).exists()) {
                    let group = Group { dirs: vec![entry.path()] };
                    group.kill();
                    group.remove();
                    tracing::info!(dir = %entry.path().display(), "removed a control group that a crash had left");
                }
            }
        }
    }
}

/// Lets groups below the daemon's own have bounds.
fn delegate(own: &Path) -> Result<(), String> {
    let enable = |group: &Path| {
        // Without a share of the processors a task is bounded all the same.
        let _ = fs::write(group.join("cgroup.subtree_control"), "+cpu");
        fs::write(group.join("cgroup.subtree_control"), "+memory +pids")
    };
    let Err(first) = enable(own) else { return Ok(()) };
    let refused = |error: io::Error| {
        format!(
            "the control group {} is not taskbot's own ({error}); start the daemon with Delegate=yes",
            own.display()
        )
    };
    let alone = fs::read_to_string(own.join("cgroup.procs")).map_err(refused)?;
    let pid = std::process::id().to_string();
    if alone.trim() != pid {
        return Err(refused(first));
    }
    let inner = own.join(OWN);
    let moved = fs::create_dir_all(&inner).and_then(|()| fs::write(inner.join("cgroup.procs"), &pid));
    moved.and_then(|()| enable(own)).map_err(|error| {
        let _ = fs::write(own.join("cgroup.procs"), &pid);
        let _ = fs::remove_dir(&inner);
        refused(error)
    })
}

/// The group of one command.
#[derive(Debug)]
pub(crate) struct Group {
    /// One in each tree.
    dirs: Vec<PathBuf>,
}

impl Group {
    /// Makes a group with these bounds; `name` is its minder's process id.
    pub(crate) fn make(cgroups: &Cgroups, bounds: &Bounds, name: &str) -> io::Result<Self> {
        let dirs = cgroups.trees().iter().map(|tree| tree.join(format!("{PREFIX}{name}"))).collect();
        let group = Self { dirs };
        group.set(cgroups, bounds).inspect_err(|_| group.remove())?;
        Ok(group)
    }

    fn set(&self, cgroups: &Cgroups, bounds: &Bounds) -> io::Result<()> {
        for dir in &self.dirs {
            fs::create_dir_all(dir)?;
        }
        let (memory, pids) =
            (bounds.memory_bytes.to_string(), (bounds.processes + limits::MINDER_PROCESSES).to_string());
        let quota = bounds.cpus.map(|cpus| u64::from(cpus) * PERIOD_MICROSECONDS);
        match (cgroups, self.dirs.as_slice()) {
            (Cgroups::V1 { .. }, [memory_dir, pids_dir, cpu_dir]) => {
                fs::write(memory_dir.join("memory.limit_in_bytes"), &memory)?;
                // Only where the kernel counts swap.
                let _ = fs::write(memory_dir.join("memory.memsw.limit_in_bytes"), &memory);
                fs::write(pids_dir.join("pids.max"), pids)?;
                if let Some(quota) = quota {
                    fs::write(cpu_dir.join("cpu.cfs_period_us"), PERIOD_MICROSECONDS.to_string())?;
                    fs::write(cpu_dir.join("cpu.cfs_quota_us"), quota.to_string())?;
                }
            }
            (Cgroups::V2(_), [dir]) => {
                fs::write(dir.join("memory.max"), &memory)?;
                let _ = fs::write(dir.join("memory.swap.max"), "0");
                fs::write(dir.join("pids.max"), pids)?;
                if let Some(quota) = quota {
                    fs::write(dir.join("cpu.max"), format!("{quota} {PERIOD_MICROSECONDS}"))?;
                }
            }
            _ => return Err(io::Error::other("a group has one directory in each tree")),
        }
        Ok(())
    }

    /// Takes a process in; what it starts from then on is in as well.
    pub(crate) fn enter(&self, pid: Pid) -> io::Result<()> {
        self.dirs.iter().try_for_each(|dir| fs::write(dir.join("cgroup.procs"), pid.to_string()))
    }

    /// Ends all that is in it.
    pub(crate) fn kill(&self) {
        let patience = Instant::now() + limits::KILL_PATIENCE;
        for dir in &self.dirs {
            let _ = fs::write(dir.join("cgroup.kill"), "1");
            while Instant::now() < patience {
                let left = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
                let left: Vec<Pid> =
                    left.lines().filter_map(|pid| pid.parse().ok()).filter_map(Pid::from_raw).collect();
                if left.is_empty() {
                    break;
                }
                for pid in left {
                    let _ = rustix::process::kill_process(pid, Signal::KILL);
                }
                thread::sleep(Duration::from_millis(5));
            }
        }
    }

    /// How many of its processes the kernel ended for want of memory.
    pub(crate) fn out_of_memory(&self) -> u64 {
        let Some(dir) = self.dirs.first() else { return 0 };
        let told = ["memory.events", "memory.oom_control"].map(|name| fs::read_to_string(dir.join(name)));
        let told: String = told.into_iter().flatten().collect();
        told.lines().find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok()).unwrap_or(0)
    }

    /// Removes it; the last of its processes may take a moment to go.
    pub(crate) fn remove(&self) {
        let patience = Instant::now() + limits::KILL_PATIENCE;
        for dir in &self.dirs {
            while let Err(error) = fs::remove_dir(dir) {
                if error.kind() == io::ErrorKind::NotFound || Instant::now() > patience {
                    break;
                }
                thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_own_place_is_found_in_both_versions() {
        let mounts = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n";
        let found = Cgroups::of(mounts, "0::/system.slice/taskbot.service\n");
        assert_eq!(found, Ok(Cgroups::V2("/sys/fs/cgroup/system.slice/taskbot.service".into())));
        let mounts = "cgroup /c/memory cgroup rw,memory 0 0\ncgroup /c/pids cgroup rw,pids 0 0\n\
                      cgroup /c/cpu cgroup rw,cpu,cpuacct 0 0\ncgroup2 /c/unified cgroup2 rw 0 0\n";
        let places = "4:memory:/a\n3:pids:/\n2:cpu,cpuacct:/b\n0::/\n";
        let found = Cgroups::of(mounts, places);
        let [memory, pids, cpu] = ["/c/memory/a", "/c/pids", "/c/cpu/b"].map(PathBuf::from);
        assert_eq!(found, Ok(Cgroups::V1 { memory, pids, cpu }));
        assert!(Cgroups::of("proc /proc proc rw 0 0\n", "").is_err());
    }

    /// Version 2 on plain files, for kernels that have version 1.
    #[test]
    fn bounds_are_written_as_version_2_reads_them() {
        let tree = tempfile::tempdir().unwrap();
        let bounds = Bounds { memory_bytes: 64 << 20, processes: 50, cpus: Some(2), ..Bounds::default() };
        let group = Group::make(&Cgroups::V2(tree.path().to_owned()), &bounds, "17").unwrap();
        group.enter(Pid::from_raw(42).unwrap()).unwrap();
        let said = |name: &str| fs::read_to_string(tree.path().join("taskbot-run-17").join(name)).unwrap();
        assert_eq!(said("memory.max"), "67108864");
        assert_eq!(said("pids.max"), "58");
        assert_eq!(said("cpu.max"), "200000 100000");
        assert_eq!(said("cgroup.procs"), "42");
    }

    #[test]
    fn a_sweep_removes_what_no_minder_holds() {
        let tree = tempfile::tempdir().unwrap();
        let dir = |name: &str| tree.path().join(name);
        let own = format!("{PREFIX}{}", std::process::id());
        let gone = format!("{PREFIX}{}", i32::MAX);
        for name in [own.as_str(), gone.as_str(), "other"] {
            fs::create_dir(dir(name)).unwrap();
        }
        Cgroups::V2(tree.path().to_owned()).sweep();
        assert!(dir(&own).exists() && dir("other").exists());
    }
}
