//! Reading an archive as the daemon would: recordings and their messages.
//!
//! Comes in: recordings (JSON Lines, plain or gzip; directories of them; `-` for standard input), a site's topics and limits. Goes
//! out: one message after another, as the daemon's own intake leaves it. Of the archive one line is held at a time. It remembers
//! no message and decides nothing about runs: that is `admission`.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use taskbot_graph::TopicFilter;
use taskbot_runtime::config::Config;
use taskbot_runtime::effect::Timestamp;
use taskbot_runtime::intake::{self, IntakeLimits, Quarantine};
use taskbot_runtime::message::Message;
use taskbot_runtime::source::Recording;

use crate::output::Failure;

/// What a directory's recordings are called.
const ENDINGS: [&str; 4] = [".jsonl", ".jsonl.gz", ".json", ".json.gz"];
/// How often the progress bar moves.
const TICK: Duration = Duration::from_millis(200);

/// One line of an archive.
pub enum Heard {
    /// No message within the limits.
    Unreadable(Quarantine),
    /// A message of a prefix or environment that the site does not accept.
    OtherEnvironment(Message),
    /// A message that the site listens to.
    Message {
        /// Its topic as rules speak of it, without prefix and environment.
        topic: String,
        /// The message.
        message: Message,
    },
}

/// Where a line stands.
#[derive(Clone, Debug)]
pub struct LinePlace {
    /// The recording as it was named.
    pub file: String,
    /// From 1; blank lines do not count.
    pub line: u64,
}

/// Recordings, read one after another.
pub struct Archive {
    waiting: VecDeque<PathBuf>,
    open: Option<(LinePlace, Recording)>,
    filter: TopicFilter,
    limits: IntakeLimits,
    bar: ProgressBar,
}

impl Archive {
    /// Finds the recordings. Nothing is read yet, but each of them must be there.
    pub fn open(paths: &[PathBuf], config: &Config) -> Result<Self, Failure> {
        let mut waiting = VecDeque::new();
        for path in paths {
            waiting.extend(recordings(path)?);
        }
        let mut length_bytes = 0u64;
        for path in waiting.iter().filter(|path| !is_standard_input(path)) {
            let about = std::fs::metadata(path).map_err(|e| unreadable(path, &e))?;
            length_bytes = length_bytes.saturating_add(about.len());
        }
        let known = !waiting.iter().any(|path| is_standard_input(path));
        Ok(Self {
            waiting,
            open: None,
            filter: config.topic_filter()?,
            limits: IntakeLimits { message_bytes: config.limits.message_bytes },
            bar: bar(known.then_some(length_bytes)),
        })
    }

    /// Prints a line without disturbing the progress bar.
    pub fn print(&self, line: impl FnOnce()) {
        if self.bar.is_hidden() { line() } else { self.bar.suspend(line) }
    }

    fn next_line(&mut self) -> Result<Option<(LinePlace, Heard)>, Failure> {
        loop {
            let Some((place, recording)) = &mut self.open else {
                let Some(path) = self.waiting.pop_front() else {
                    self.bar.finish_and_clear();
                    return Ok(None);
                };
                self.open = Some(self.start(&path)?);
                continue;
            };
            match recording.next() {
                None => self.open = None,
                Some(Err(error)) => {
                    self.bar.finish_and_clear();
                    return Err(Failure::new(format!(
                        "cannot read {} behind line {}: {error}; is it cut off?",
                        place.file, place.line
                    )));
                }
                Some(Ok(wire)) => {
                    place.line = place.line.saturating_add(1);
                    let heard = match intake::accept(wire, "archive", &self.limits) {
                        Err(quarantine) => Heard::Unreadable(quarantine),
                        Ok(message) => match self.filter.strip(message.topic.expose()) {
                            None => Heard::OtherEnvironment(message),
                            Some(topic) => Heard::Message { topic: topic.to_owned(), message },
                        },
                    };
                    return Ok(Some((place.clone(), heard)));
                }
            }
        }
    }

    fn start(&self, path: &Path) -> Result<(LinePlace, Recording), Failure> {
        let bytes: Box<dyn io::Read> = if is_standard_input(path) {
            Box::new(io::stdin())
        } else {
            Box::new(File::open(path).map_err(|e| unreadable(path, &e))?)
        };
        let recording =
            Recording::new(self.bar.wrap_read(bytes)).map_err(|error| unreadable(path, &error))?;
        Ok((LinePlace { file: path.display().to_string(), line: 0 }, recording))
    }
}

impl Iterator for Archive {
    type Item = Result<(LinePlace, Heard), Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_line().transpose()
    }
}

/// When its sender sent a message.
pub fn sent_at(message: &Message) -> Option<Timestamp> {
    message.sent_at.map(Timestamp::from)
}

fn is_standard_input(path: &Path) -> bool {
    path == Path::new("-")
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("cannot read {}: {error}", path.display()))
}

/// The recordings that a path stands for: itself, or those in the directory by name.
fn recordings(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if is_standard_input(path) || !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(|e| unreadable(path, &e))? {
        let entry = entry.map_err(|e| unreadable(path, &e))?.path();
        let name = entry.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if entry.is_file() && ENDINGS.iter().any(|ending| name.ends_with(ending)) {
            found.push(entry);
        }
    }
    if found.is_empty() {
        let endings = ENDINGS.join(", ");
        return Err(Failure::new(format!("{} holds no recording ({endings})", path.display())));
    }
    found.sort();
    Ok(found)
}

/// A bar over the bytes of all recordings, where somebody watches; without a length it only counts.
fn bar(length_bytes: Option<u64>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match length_bytes {
        Some(bytes) => {
            (ProgressBar::new(bytes), "{bar:30} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left")
        }
        None => (ProgressBar::new_spinner(), "{spinner} {bytes} {bytes_per_sec}"),
    };
    bar.enable_steady_tick(TICK);
    ProgressStyle::with_template(template).map_or(bar.clone(), |style| bar.with_style(style))
}
