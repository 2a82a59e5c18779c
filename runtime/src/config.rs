//! `taskbot.toml`: what a site says to its daemon. Strict: an unknown key is an error with a suggestion.
//!
//! Comes in: the file's text and the directory that its relative paths start from. Goes out: a `Config` in which
//! every path is resolved and every number is within its bounds. Everything has a default that works; it never reads
//! anything else.
//!
//! ```toml
//! state_dir = "state"              # store, work directories, artifacts
//! rules = ["rules.tb"]
//! lock = "taskbot.lock"            # commits of the tasks
//!
//! [topics]
//! accept = ["*.*.prod"]            # prefixes and environments; staging must not fire
//!
//! [[source]]
//! kind = "fedmsg"                  # or amqp, archive
//! endpoints = ["tcp://127.0.0.1:9940"]
//!
//! [facts."nvr.lang"]
//! table = "facts.toml"             # or: command = ["./find-lang"]
//! lifetime = "24h"
//!
//! [executor]
//! require = ["landlock"]           # refuse to start where this layer is missing
//! parallel = 2
//! memory = "4G"                    # of one run
//!
//! [limits]
//! message_bytes = 1048576
//!
//! [downloads]
//! koji = "/mnt/koji/packages"
//!
//! [[sink]]
//! kind = "directory"
//! path = "results"
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use taskbot_graph::{TopicFilter, TopicFilterError};

use crate::class::ErrorClass;
use crate::echo;
use crate::executor::Layer;
use crate::limits;
use crate::sink::SinkConfig;
use crate::source::SourceConfig;
use crate::task::download::DownloadConfig;
use crate::task::size_bytes;

/// The whole configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Directory of the store, the work directories and the artifacts; made if absent.
    pub state_dir: PathBuf,
    /// Rule files.
    pub rules: Vec<PathBuf>,
    /// File with the commits of the tasks; may be absent, then they are resolved when a run starts.
    pub lock: PathBuf,
    /// Directory with `NAME.git` for each standard task; the command fills it in where it is not set.
    pub standard_tasks: Option<PathBuf>,
    /// Which topics are ours.
    pub topics: Topics,
    /// Where messages come from.
    #[serde(rename = "source")]
    pub sources: Vec<SourceConfig>,
    /// Providers of facts, by `type.name`.
    pub facts: BTreeMap<String, FactConfig>,
    /// How tasks are run.
    pub executor: Executor,
    /// Bounds that a site may set.
    pub limits: Limits,
    /// Where external files are.
    pub downloads: DownloadConfig,
    /// Where results go besides the store.
    #[serde(rename = "sink")]
    pub sinks: Vec<SinkConfig>,
}

/// `[topics]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Topics {
    /// Beginnings of topics, by whole words; `*` is any one word.
    pub accept: Vec<String>,
}

/// `[facts."type.name"]`: one of `table` and `command`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactConfig {
    /// TOML or JSON file: fact -> key -> value.
    #[serde(default)]
    pub table: Option<PathBuf>,
    /// Program and arguments; gets `{"fact": ..., "key": ...}` on standard input, answers `{"value": ...}` or
    /// `{"absent": true}`.
    #[serde(default)]
    pub command: Option<Vec<String>>,
    /// How long an answer is used.
    #[serde(default = "fact_lifetime", deserialize_with = "duration")]
    pub lifetime: Duration,
    /// How long one call of the command may take.
    #[serde(default = "fact_timeout", deserialize_with = "duration")]
    pub timeout: Duration,
    /// How long decisions wait for a failing provider before they are undecided.
    #[serde(default = "fact_deadline", deserialize_with = "duration")]
    pub deadline: Duration,
}

/// `[executor]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Executor {
    /// Layers of isolation without which the daemon does not start.
    pub require: Vec<Layer>,
    /// Runs at once.
    pub parallel: usize,
    /// Memory of one run: what it gets where its manifest says nothing, and the most that it may ask for.
    #[serde(rename = "memory", deserialize_with = "size")]
    pub memory_bytes: u64,
    /// Disk of one run, likewise.
    #[serde(rename = "disk", deserialize_with = "size")]
    pub disk_bytes: u64,
    /// Processors of one run, likewise; none: all of the machine.
    pub cpus: Option<u32>,
    /// Tasks that run in containers.
    pub container: Container,
}

/// `[executor.container]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Container {
    /// Runtime that podman uses, where it is not podman's own choice.
    pub runtime: Option<String>,
    /// Images by the names that manifests use: podman's name, or a directory with a root file system.
    pub images: BTreeMap<String, String>,
}

/// `[limits]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Largest accepted message.
    pub message_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            state_dir: "taskbot-state".into(),
            rules: vec!["rules.tb".into()],
            lock: "taskbot.lock".into(),
            standard_tasks: None,
            topics: Topics::default(),
            sources: Vec::new(),
            facts: BTreeMap::new(),
            executor: Executor::default(),
            limits: Limits::default(),
            downloads: DownloadConfig::default(),
            sinks: Vec::new(),
        }
    }
}

impl Default for Topics {
    fn default() -> Self {
        Self { accept: vec!["*.*.prod".into()] }
    }
}

impl Default for Executor {
    fn default() -> Self {
        Self {
            require: Vec::new(),
            parallel: limits::RUNS_PARALLEL_DEFAULT,
            memory_bytes: limits::TASK_MEMORY_BYTES,
            disk_bytes: limits::TASK_DISK_BYTES,
            cpus: None,
            container: Container::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { message_bytes: limits::MESSAGE_BYTES_DEFAULT }
    }
}

const fn fact_lifetime() -> Duration {
    limits::FACT_LIFETIME
}
const fn fact_timeout() -> Duration {
    limits::FACT_TIMEOUT
}
const fn fact_deadline() -> Duration {
    limits::FACT_DEADLINE
}

/// `"512M"`, `"2G"`.
fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    let size = size_bytes(&text).filter(|bytes| *bytes > 0);
    size.ok_or_else(|| serde::de::Error::custom(format!("'{text}' is no size; write `512M` or `2G`")))
}

/// `"90s"`, `"5m"`, `"1h 30m"`, `"24h"`.
pub(crate) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let duration = text
        .parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| {
            serde::de::Error::custom(format!("'{text}' is no duration; write `90s`, `5m` or `24h`"))
        })?;
    if duration > limits::CONFIG_DURATION_MAX {
        let hours = limits::CONFIG_DURATION_MAX.as_secs() / 3600;
        return Err(serde::de::Error::custom(format!("'{text}' is too long; the longest is {hours}h")));
    }
    Ok(duration)
}

/// What is wrong with a configuration.
#[derive(Clone, Debug)]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// Line, from 1, where one can be named.
    pub line: Option<usize>,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl ConfigError {
    /// Always fatal: a daemon is not started on half a configuration.
    pub fn class(&self) -> ErrorClass {
        ErrorClass::Fatal
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads a file; its relative paths start from its directory.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|e| ConfigError {
            path: path.to_owned(),
            line: None,
            message: format!("cannot be read: {e}"),
        })?;
        Self::parse(&text, path)
    }

    /// Reads text as the content of the file `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let error = |line, message| ConfigError { path: path.to_owned(), line, message };
        let mut config: Self = toml::from_str(text).map_err(|e| {
            let line = e.span().map(|span| text.bytes().take(span.start).filter(|b| *b == b'\n').count() + 1);
            error(line, with_suggestion(e.message()))
        })?;
        config.check().map_err(|message| error(None, message))?;
        let base = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        config.resolve(&std::path::absolute(base).map_err(|e| error(None, e.to_string()))?);
        Ok(config)
    }

    /// Which topics are ours.
    pub fn topic_filter(&self) -> Result<TopicFilter, TopicFilterError> {
        TopicFilter::new(&self.topics.accept)
    }

    fn check(&self) -> Result<(), String> {
        self.topic_filter().map_err(|e| format!("topics.accept: {e}"))?;
        if !(1..=limits::MESSAGE_BYTES_MAX).contains(&self.limits.message_bytes) {
            return Err(format!("limits.message_bytes must be from 1 to {}", limits::MESSAGE_BYTES_MAX));
        }
        if !(1..=limits::RUNS_PARALLEL_MAX).contains(&self.executor.parallel) {
            return Err(format!("executor.parallel must be from 1 to {}", limits::RUNS_PARALLEL_MAX));
        }
        if self.executor.cpus == Some(0) {
            return Err("executor.cpus must be at least 1".to_owned());
        }
        for (name, fact) in &self.facts {
            match (&fact.table, fact.command.as_deref()) {
                (Some(_), None) | (None, Some([_, ..])) => {}
                (None, Some([])) => return Err(format!("facts.\"{name}\".command names no program")),
                _ => return Err(format!("facts.\"{name}\" needs either `table` or `command`")),
            }
        }
        self.downloads.check()?;
        unique("source", self.sources.iter().map(SourceConfig::name))?;
        self.sinks.iter().try_for_each(SinkConfig::check)?;
        if self.sinks.iter().any(|sink| sink.name() == echo::NAME) {
            return Err(format!("no [[sink]] may be named '{}': that is taskbot itself", echo::NAME));
        }
        unique("sink", self.sinks.iter().map(SinkConfig::name))
    }

    fn resolve(&mut self, base: &Path) {
        let resolve = |path: &mut PathBuf| *path = base.join(&*path);
        resolve(&mut self.state_dir);
        resolve(&mut self.lock);
        self.rules.iter_mut().for_each(resolve);
        self.standard_tasks.iter_mut().for_each(resolve);
        self.facts.values_mut().filter_map(|fact| fact.table.as_mut()).for_each(resolve);
        self.downloads.resolve(base);
        self.downloads.cache = Some(self.state_dir.join("cache"));
        // As on a shell's command line: a program with a slash is a path, one without is looked up.
        for command in self.facts.values_mut().filter_map(|fact| fact.command.as_mut()) {
            if let Some(program) = command.first_mut().filter(|program| program.contains('/')) {
                *program = base.join(&*program).display().to_string();
            }
        }
        for source in &mut self.sources {
            if let SourceConfig::Amqp { tls: Some(tls), .. } = source {
                [&mut tls.ca, &mut tls.certificate, &mut tls.key].into_iter().flatten().for_each(resolve);
            }
            if let SourceConfig::Archive { path, .. } = source
                && path.as_os_str() != "-"
            {
                resolve(path);
            }
        }
        for sink in &mut self.sinks {
            sink.resolve(resolve);
        }
    }
}

fn unique<'n>(what: &str, names: impl Iterator<Item = &'n str>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(format!("two of [[{what}]] are named '{name}': give each a `name` of its own"));
        }
    }
    Ok(())
}

/// Adds the closest known key to serde's message about an unknown one ("unknown field `x`, expected one of `a`, `b`").
fn with_suggestion(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = message.starts_with("unknown ").then(|| quoted.next()).flatten();
    let closest = unknown.and_then(|unknown| {
        let distance = |known: &&str| strsim::damerau_levenshtein(unknown, known);
        let known = quoted.min_by_key(distance)?;
        (distance(&known) <= unknown.len().div_ceil(3)).then_some(known)
    });
    match closest {
        Some(known) => format!("{message}; did you mean `{known}`?"),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("/etc/site/taskbot.toml")).map_err(|e| e.to_string())
    }

    #[test]
    fn an_empty_file_works() {
        let config = parse("").unwrap();
        assert_eq!(config.state_dir, Path::new("/etc/site/taskbot-state"));
        assert_eq!(config.rules, [Path::new("/etc/site/rules.tb")]);
        let filter = config.topic_filter().unwrap();
        assert!(filter.strip("org.fedoraproject.stg.bodhi.x").is_none());
    }

    #[test]
    fn the_example_of_this_module_is_read_as_it_says() {
        let text: String = include_str!("config.rs")
            .lines()
            .skip_while(|line| *line != "//! ```toml")
            .skip(1)
            .take_while(|line| *line != "//! ```")
            .map(|line| format!("{}\n", line.trim_start_matches("//!").trim_start()))
            .collect();
        let config = parse(&text).unwrap();
        assert_eq!(config.facts["nvr.lang"].lifetime, Duration::from_secs(24 * 3600));
        assert_eq!(config.facts["nvr.lang"].table.as_deref(), Some(Path::new("/etc/site/facts.toml")));
        assert_eq!(config.executor.memory_bytes, 4 << 30);
        assert_eq!(config.sources.len() + config.sinks.len() + config.executor.require.len(), 3);
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_a_suggestion() {
        let error = parse("rules = []\n\n[executor]\nparalel = 3\n").unwrap_err();
        assert!(error.contains("taskbot.toml:4: ") && error.ends_with("did you mean `parallel`?"), "{error}");
        let error = parse("[[sink]]\nkind = \"directroy\"\npath = \"x\"\n").unwrap_err();
        assert!(error.contains("`directory`"), "{error}");
    }

    #[test]
    fn impossible_values_are_refused() {
        for (text, expected) in [
            ("[limits]\nmessage_bytes = 99999999", "limits.message_bytes"),
            ("[[sink]]\nkind=\"index\"\npath=\"a\"\nname=\"taskbot\"", "taskbot itself"),
            ("[[sink]]\nkind=\"directory\"\npath=\"a\"\nformats=[]", "`formats` is empty"),
            ("[[sink]]\nkind=\"webhook\"\nurl=\"http://u:p@h/\"", "without user or password"),
            ("[[sink]]\nkind=\"webhook\"\nurl=\"http://h/\"\nauth={user=\"u\"}", "`password_file`"),
            ("[[sink]]\nkind=\"amqp\"\nurl=\"http://u:p@h/\"\ntopic_prefix=\"a.b\"", "amqps://"),
            ("[[sink]]\nkind=\"fedmsg\"\nbind=\"9940\"\ntopic_prefix=\"a.b\"", "no address to bind to"),
            ("[executor]\nparallel = 0", "executor.parallel"),
            ("[executor]\nparallel = 1000000", "from 1 to 256"),
            ("[executor]\nmemory = \"lots\"", "is no size"),
            ("[executor]\ncpus = 0", "at least 1"),
            ("[facts.\"nvr.lang\"]\ntable = \"x\"\ntimeout = \"2000000000h\"", "is too long"),
            ("[topics]\naccept = [\"org..x\"]", "topics.accept"),
            ("[facts.\"nvr.lang\"]\nlifetime = \"1h\"", "either `table` or `command`"),
            ("[facts.\"nvr.lang\"]\ncommand = []", "names no program"),
            ("[facts.\"nvr.lang\"]\ntable = \"x\"\nlifetime = \"soon\"", "is no duration"),
            (
                "[[sink]]\nkind=\"directory\"\npath=\"a\"\n[[sink]]\nkind=\"directory\"\npath=\"b\"",
                "two of [[sink]]",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
