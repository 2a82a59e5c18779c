//! Processes: the daemon as a child of the test, and what it may have left behind.
//!
//! Comes in: a command. Goes out: its process, which ends with its owner. Whoever looks for survivors sees all processes that
//! descend from it or name the site's directory.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::eventually;

/// A process that is killed when this is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
}

impl Running {
    /// Starts it with its output as the command says.
    pub fn start(command: &mut Command) -> Self {
        Self { child: command.stdin(Stdio::null()).spawn().unwrap() }
    }

    /// Takes over a child.
    pub fn over(child: Child) -> Self {
        Self { child }
    }

    /// Its process.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(i32::try_from(self.id()).unwrap()).unwrap(), signal).unwrap();
    }

    /// kill -9, and gone.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    pub fn ended(&mut self, within: Duration) -> ExitStatus {
        eventually("the end of a process", within, || self.child.try_wait().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process that cannot be mistaken for a later one of the same number: its id and start time.
pub type ProcessKey = (u32, String);

/// All that descend from a process, not itself.
pub fn descendants(of: u32) -> BTreeSet<ProcessKey> {
    let all = processes();
    let mut found = BTreeSet::from([of]);
    while let Some(more) = all.iter().find(|p| found.contains(&p.parent) && !found.contains(&p.key.0)) {
        found.insert(more.key.0);
    }
    all.into_iter().filter(|p| p.key.0 != of && found.contains(&p.key.0)).map(|p| p.key).collect()
}

/// Those that are still there.
pub fn survivors(of: &BTreeSet<ProcessKey>) -> Vec<ProcessKey> {
    processes().into_iter().map(|p| p.key).filter(|key| of.contains(key)).collect()
}

/// Processes that name a directory in their command line, environment or working directory.
pub fn naming(dir: &Path) -> Vec<String> {
    let needle = dir.as_os_str().as_encoded_bytes();
    let names = |bytes: Vec<u8>| bytes.windows(needle.len()).any(|window| window == needle);
    let mut found = Vec::new();
    for process in processes() {
        let proc = Path::new("/proc").join(process.key.0.to_string());
        let cwd = fs::read_link(proc.join("cwd")).is_ok_and(|cwd| cwd.starts_with(dir));
        let command = fs::read(proc.join("cmdline")).unwrap_or_default();
        if cwd || names(command.clone()) || fs::read(proc.join("environ")).is_ok_and(names) {
            found.push(format!(
                "{}: {}",
                process.key.0,
                String::from_utf8_lossy(&command).replace('\0', " ")
            ));
        }
    }
    found
}

struct Process {
    key: ProcessKey,
    parent: u32,
}

/// Every process that is not a zombie.
fn processes() -> Vec<Process> {
    let ids =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter_map(|id: u32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name in parentheses may hold anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let [state, parent] = fields.first_chunk()?;
        let start = fields.get(19)?;
        (*state != "Z").then_some(Process { key: (id, (*start).to_owned()), parent: parent.parse().ok()? })
    })
    .collect()
}
