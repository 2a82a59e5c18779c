//! `taskbot log RUN --follow`: what a run prints, while it prints it.
//!
//! Comes in: the store, where logs are, a run. Goes out: its output line by line, escaped, through all attempts until the run is over. Logs
//! are read as files while the daemon writes them; nothing is asked of the daemon, and it does not know that somebody watches.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use taskbot_runtime::steps;
use taskbot_runtime::store::{Reader, RunId, RunReport};
use taskbot_runtime::task::artifacts;

use crate::output::{self, Failure, Paint, shown};

/// How often is looked for more.
const PAUSE: Duration = Duration::from_millis(200);
/// A line that is longer is told in pieces.
const LINE_BYTES: usize = 64 << 10;

/// Shows the run's output until it is over.
pub fn follow(store: &Reader, state_dir: &Path, mut report: RunReport) -> Result<ExitCode, Failure> {
    let paint = Paint::of(&io::stderr());
    let run = RunId(report.run.id);
    let mut tail = Tail::new(1);
    loop {
        // Looked at before the log is read: what was written until then is shown.
        let latest = report.steps.iter().map(|step| step.attempt).max().unwrap_or(0);
        let over = is_over(&report.run.state);
        while tail.attempt <= latest {
            tail.show_more(state_dir, run)?;
            if tail.attempt == latest && !over {
                break;
            }
            tail.end();
            tail = Tail::new(tail.attempt + 1);
            if tail.attempt <= latest {
                output::remark(paint.dim(&format!("attempt {}", tail.attempt)));
            }
        }
        if over || !output::is_read() {
            let note = report.run.note.as_ref().map_or(String::new(), |note| format!(": {}", shown(note)));
            output::remark(format!("#{} {}{note}", report.run.id, paint.verdict(&report.run.state)));
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(PAUSE);
        report = store.run(run.0)?.ok_or_else(|| Failure::new(format!("run #{run} is no longer there")))?;
    }
}

fn is_over(state: &str) -> bool {
    matches!(state, "finished" | "cancelled" | "infrastructure-error")
}

/// How far the log of an attempt was shown.
struct Tail {
    attempt: u32,
    offset_bytes: u64,
    /// What came after the last end of a line.
    rest: Vec<u8>,
}

impl Tail {
    fn new(attempt: u32) -> Self {
        Self { attempt, offset_bytes: 0, rest: Vec::new() }
    }

    /// Shows the lines that are whole by now.
    fn show_more(&mut self, state_dir: &Path, run: RunId) -> io::Result<()> {
        // The kept log is the same file under another name.
        let live = steps::live_log(state_dir, run, self.attempt);
        let kept = steps::artifact_dir(state_dir, run).join(artifacts::log_name(self.attempt));
        let Ok(mut file) = File::open(live).or_else(|_| File::open(kept)) else { return Ok(()) };
        file.seek(SeekFrom::Start(self.offset_bytes))?;
        let mut chunk = vec![0; LINE_BYTES];
        while output::is_read() {
            let read = file.read(&mut chunk)?;
            let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
            self.offset_bytes += bytes.len() as u64;
            self.rest.extend_from_slice(bytes);
            while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                tell(line.strip_suffix(b"\n").unwrap_or(&line));
            }
            if self.rest.len() >= LINE_BYTES {
                self.end();
            }
        }
        Ok(())
    }

    /// Shows what is left of the last line.
    fn end(&mut self) {
        if !self.rest.is_empty() {
            tell(&self.rest);
            self.rest.clear();
        }
    }
}

fn tell(line: &[u8]) {
    output::line(shown(&String::from_utf8_lossy(line)));
}
