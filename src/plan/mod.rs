//! `taskbot plan OLD NEW`: what a change of rules would have changed, on the messages of an archive.
//!
//! Comes in: two rule sets, as files, directories or artifacts; recordings; facts of a table or of the store. Goes out: for each rule
//! what it newly runs, no longer runs and still runs, with the time that this takes by the store's history; and for a change
//! that no message exercises a message that does. Stations: `definition` (what a rule says), `compare`, `witness`, `report`
//! and `markdown` (how it is told). Nothing is started, nobody is asked.

mod compare;
mod definition;
mod markdown;
mod report;
mod witness;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;
use taskbot_graph::{Graph, SourceFile};
use taskbot_runtime::store::{Reader, TaskTimes};

use self::compare::{Comparer, Comparison, Standing};
use crate::archive::{Archive, Heard};
use crate::known_facts::KnownFacts;
use crate::output::{self, FINDINGS, Failure, Paint};
use crate::render::{self, Spot};
use crate::site::Site;
use crate::{check, rules, why};

/// First bytes of an artifact.
const ARTIFACT: &[u8] = b"taskbot\0";

/// Say what another set of rules would have run.
///
/// Each message of the archive is judged by both rule sets; windows and happenings are left out on both sides. Facts are taken from
/// --facts, else as the site's store recorded them; nobody is asked. Exit code 0: nothing changes; 1: something does, or may; 2: wrong
/// usage.
#[derive(Debug, Args)]
pub struct Plan {
    /// The rules as they are: a file, a directory of .tb files, or an artifact.
    old: PathBuf,
    /// The rules as they would be.
    new: PathBuf,
    /// Recordings, JSON Lines, plain or gzip, or directories of them.
    #[arg(long, value_name = "ARCHIVE", required = true)]
    messages: Vec<PathBuf>,
    /// Facts: a TOML or JSON file, fact -> key -> value.
    #[arg(long, value_name = "FILE")]
    facts: Option<PathBuf>,
    /// How many messages are shown of each kind.
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    show: usize,
    #[command(flatten)]
    site: Site,
    /// Who reads the output.
    #[arg(long, value_enum, default_value_t)]
    format: PlanFormat,
}

/// Who reads a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// People on a terminal.
    #[default]
    Human,
    /// Programs: one JSON document.
    Json,
    /// A comment of a review.
    Markdown,
}

/// A rule set.
#[derive(Debug)]
struct RuleSet {
    /// As the user named it.
    name: String,
    graph: Graph,
}

/// Everything that is told.
#[derive(Debug, Serialize)]
struct Told<'t> {
    old: &'t str,
    new: &'t str,
    #[serde(flatten)]
    comparison: &'t Comparison,
    /// Lines that the daemon would set aside.
    unreadable: usize,
    /// Messages of prefixes and environments that are not accepted.
    other_environment: usize,
    /// Rules that have a place in the sources, by name: (old, new).
    rules_at: BTreeMap<&'t str, [Option<Written>; 2]>,
    history: BTreeMap<&'t str, History>,
    changes: bool,
}

/// A rule in one of the sources.
#[derive(Clone, Debug, Serialize)]
struct Written {
    at: Spot,
    condition: Option<String>,
}

/// How long a task took so far.
#[derive(Clone, Copy, Debug, Serialize)]
struct History {
    runs: usize,
    median_seconds: f64,
}

impl Plan {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Failure> {
        let config = self.site.config()?;
        let (old, new) = (load(&self.old)?, load(&self.new)?);
        let store = Reader::open(&config.state_dir).ok();
        let mut facts = KnownFacts::default();
        if let Some(store) = &store {
            facts = facts.with_recorded(store)?;
        }
        if let Some(table) = &self.facts {
            facts = facts.with_table(table, &[&old.graph, &new.graph])?;
        }
        let (mut unreadable, mut other_environment) = (0usize, 0usize);
        let mut comparer = Comparer::new(&old.graph, &new.graph, self.show);
        for heard in Archive::open(&self.messages, &config)? {
            match heard?.1 {
                Heard::Unreadable(_) => unreadable = unreadable.saturating_add(1),
                Heard::OtherEnvironment(_) => other_environment = other_environment.saturating_add(1),
                Heard::Message { topic, message } => {
                    comparer.message(message.id.expose(), &topic, &message.body, &facts);
                }
            }
        }
        let mut comparison = comparer.finish();
        for rule in &mut comparison.rules {
            if rule.standing != Standing::Same && !rule.is_exercised() {
                rule.witnesses = witness::find(&old.graph, &new.graph, &rule.rule, &rule.samples);
            }
        }
        let times = store.map(|store| store.task_times()).transpose()?.unwrap_or_default();
        let told = Told {
            old: &old.name,
            new: &new.name,
            unreadable,
            other_environment,
            rules_at: places(&comparison, &old.graph, &new.graph),
            history: times.iter().map(|(task, times)| (task.as_str(), history(*times))).collect(),
            changes: comparison.has_changes(),
            comparison: &comparison,
        };
        match self.format {
            PlanFormat::Human => report::print(&told, Paint::of(&io::stdout())),
            PlanFormat::Json => output::json(&told)?,
            PlanFormat::Markdown => markdown::print(&told),
        }
        Ok(if told.changes { ExitCode::from(FINDINGS) } else { ExitCode::SUCCESS })
    }
}

fn history(times: TaskTimes) -> History {
    History { runs: times.runs, median_seconds: times.median.as_secs_f64() }
}

/// Loads a file, a directory or an artifact.
fn load(path: &Path) -> Result<RuleSet, Failure> {
    let name = path.display().to_string();
    if path.is_file() {
        let bytes = std::fs::read(path).map_err(|e| Failure::new(format!("cannot read {name}: {e}")))?;
        if bytes.starts_with(ARTIFACT) {
            let graph = Graph::from_bytes(&bytes).map_err(|e| Failure::new(format!("{name}: {e}")))?;
            return Ok(RuleSet { name, graph });
        }
    }
    let compiled = rules::load(&[path.to_owned()])?;
    match compiled.graph {
        Some(graph) => Ok(RuleSet { name, graph }),
        None => {
            check::print_findings(&compiled, Paint::of(&io::stderr())).into_iter().for_each(output::remark);
            Err(Failure::new(format!("{name} has errors; only rules without errors can be compared")))
        }
    }
}

/// Where the rules that changed stand in both.
fn places<'c>(
    comparison: &'c Comparison,
    old: &Graph,
    new: &Graph,
) -> BTreeMap<&'c str, [Option<Written>; 2]> {
    let changed = comparison.rules.iter().filter(|rule| rule.standing != Standing::Same);
    changed.map(|rule| (rule.rule.as_str(), [written(old, &rule.rule), written(new, &rule.rule)])).collect()
}

fn written(graph: &Graph, rule: &str) -> Option<Written> {
    let at = graph.rules.iter().position(|r| r.name == rule)?;
    let source = graph.sources.rules.get(at)?;
    let files: &[SourceFile] = &graph.sources.files;
    let parts: Vec<String> =
        source.conjuncts.iter().map(|part| why::source_text(files, part.place)).collect();
    let condition = (!parts.is_empty()).then(|| parts.join(" and "));
    Some(Written { at: render::spot(files, source.place), condition })
}

/// `+3 runs`, with the time that they take: median times number, or that there is no history.
fn estimate(history: &BTreeMap<&str, History>, tasks: &BTreeMap<String, usize>) -> Vec<String> {
    let lines = tasks.iter().map(|(task, runs)| match history.get(task.as_str()) {
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        Some(known) => format!(
            "{task}: {runs} x {} = {} (median of {})",
            seconds(known.median_seconds),
            seconds(known.median_seconds * *runs as f64),
            output::count(known.runs, "finished run")
        ),
        None => format!("{task}: no history of finished runs, so no estimate"),
    });
    lines.collect()
}

/// Seconds as people say them: `0.4s`, `12s`, `3m20s`, `2h05m`.
fn seconds(seconds: f64) -> String {
    if seconds < 10.0 {
        return format!("{seconds:.1}s");
    }
    let whole = std::time::Duration::from_secs_f64(seconds.min(1e12)).as_secs();
    let (hours, minutes, rest) = (whole / 3_600, whole / 60 % 60, whole % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest:02}s"),
        _ => format!("{hours}h{minutes:02}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_said_as_people_say_it() {
        let said = [0.42, 12.4, 200.0, 7_500.0].map(seconds);
        assert_eq!(said, ["0.4s", "12s", "3m20s", "2h05m"]);
    }
}
