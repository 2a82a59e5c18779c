//! `taskbot replay ARCHIVE`: what would have run.
//!
//! Comes in: recordings, rules, facts as a table. Goes out: for each rule how often and when it would have run, what would not have
//! been judged, or every single run. Intake, topics and matcher are the daemon's own; no task is run, nobody is asked for a fact, and
//! nothing is written.

mod report;
mod tally;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use taskbot_graph::{Graph, judge};
use taskbot_runtime::effect::Timestamp;
use taskbot_runtime::message::Message;

use crate::admission::{Admission, Arrival, Made, Told};
use crate::archive::{Archive, Heard, LinePlace, sent_at};
use crate::known_facts::{KnownFacts, TypedFacts};
use crate::names::rules_are_there;
use crate::output::{self, FINDINGS, Failure, Format, Paint};
use crate::site::Site;
use crate::{check, rules};
use tally::Tally;

/// Play recorded messages against rules and say what would have run, when and how often
///
/// Nothing is run and nothing is stored. Messages are judged as the daemon judges them: topics and limits of the site's
/// configuration, one run for messages of one happening, windows by the times of sending. Facts are in no message: give
/// them as a table, as for the daemon, or see which ones are missing.
///
///   taskbot replay 2024-05.jsonl.gz --rules rules.tb --facts facts.toml
///
///   taskbot replay archive/ --rules rules.tb --rule kernel --list --since 2024-05-01
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Replay {
    /// Recordings, JSON Lines (gzip too); a directory stands for those in it, `-` for standard input.
    #[arg(required = true)]
    archive: Vec<PathBuf>,
    /// Rule files instead of the configured ones.
    #[arg(long, value_name = "FILE")]
    rules: Vec<PathBuf>,
    /// Facts that are known, fact -> key -> value, in TOML or JSON.
    #[arg(long, value_name = "FILE")]
    facts: Option<PathBuf>,
    /// Only what this rule does.
    #[arg(long, value_name = "NAME")]
    rule: Vec<String>,
    /// Every run with its time, message, rules, task and arguments.
    #[arg(long)]
    list: bool,
    /// Only messages sent at this time or later: `2024-05-01`, `2024-05-01T12:00:00Z`.
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// Only messages sent before this time.
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
    #[command(flatten)]
    site: Site,
    /// Who reads the output; for programs, `--list` gives one event a line.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A moment, or the first one of a day in UTC.
fn time(text: &str) -> Result<Timestamp, String> {
    let day = |text: &str| text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    let moment = match day(text).filter(|_| !text.contains(['T', ' '])) {
        Some(day) => day.timestamp(),
        None => text
            .parse()
            .map_err(|_| "write a day like 2024-05-01 or a time like 2024-05-01T12:00:00Z".to_owned())?,
    };
    Ok(Timestamp::from_millis(moment.as_millisecond()))
}

impl Replay {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Failure> {
        let config = self.site.config()?;
        let paths = if self.rules.is_empty() { &config.rules } else { &self.rules };
        let compiled = rules::load(paths)?;
        let Some(graph) = &compiled.graph else {
            check::print_findings(&compiled, Paint::of(&io::stderr())).into_iter().for_each(output::remark);
            return Ok(ExitCode::from(FINDINGS));
        };
        rules_are_there(graph, &self.rule)?;
        let facts = match &self.facts {
            Some(path) => KnownFacts::default().with_table(path, &[graph])?,
            None => KnownFacts::default(),
        };
        let archive = Archive::open(&self.archive, &config)?;
        let tally = self.play(graph, &facts.of(graph), archive)?;
        match self.format {
            Format::Json if self.list => output::json_line(&report::json(&tally))?,
            Format::Json => output::json(&report::json(&tally))?,
            Format::Human => report::print(&tally, Paint::of(&io::stdout())),
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Judges one message after another, until the end or until nobody listens any more.
    fn play(&self, graph: &Graph, facts: &TypedFacts<'_>, mut archive: Archive) -> Result<Tally, Failure> {
        let mut player =
            Player { graph, facts, admission: Admission::new(graph), tally: Tally::new(graph, &self.rule) };
        while let Some(line) = archive.next() {
            let (place, heard) = line?;
            let counts = &mut player.tally.messages;
            counts.read = counts.read.saturating_add(1);
            match heard {
                Heard::Unreadable(quarantine) => player.tally.unreadable(&place, &quarantine),
                Heard::OtherEnvironment(message) | Heard::Message { message, .. }
                    if !self.is_wanted(&message) =>
                {
                    counts.outside = counts.outside.saturating_add(1);
                }
                Heard::OtherEnvironment(_) => {
                    counts.other_environment = counts.other_environment.saturating_add(1);
                }
                Heard::Message { topic, message } => {
                    let made = player.take(&place, &topic, &message);
                    self.list(&archive, &made)?;
                }
            }
            if self.list && !output::is_read() {
                return Ok(player.finish().0);
            }
        }
        let (tally, made) = player.finish();
        self.list(&archive, &made)?;
        Ok(tally)
    }

    fn list(&self, archive: &Archive, made: &[Made]) -> Result<(), Failure> {
        for made in made.iter().filter(|_| self.list) {
            let mut listed = Ok(());
            archive.print(|| listed = report::list(self.format, made));
            listed?;
        }
        Ok(())
    }

    fn is_wanted(&self, message: &Message) -> bool {
        if self.since.is_none() && self.until.is_none() {
            return true;
        }
        sent_at(message).is_some_and(|at| {
            self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
        })
    }
}

/// What one message after another is judged with.
struct Player<'r> {
    graph: &'r Graph,
    facts: &'r TypedFacts<'r>,
    admission: Admission,
    tally: Tally,
}

impl Player<'_> {
    /// Judges a message; gives the runs that are made by then, of the rules that were asked for.
    fn take(&mut self, place: &LinePlace, topic: &str, message: &Message) -> Vec<Made> {
        let judgement = judge(self.graph, topic, &message.body, self.facts);
        let counts = &mut self.tally.messages;
        if judgement.events.is_empty() && judgement.refused.is_empty() {
            counts.no_event = counts.no_event.saturating_add(1);
            return Vec::new();
        }
        if self.admission.arrive(message.id.expose()) == Arrival::Again {
            counts.duplicate = counts.duplicate.saturating_add(1);
            return Vec::new();
        }
        let sent_at = sent_at(message);
        self.tally.judged(place, message, &judgement, self.facts);
        let told = Told { id: message.id.expose().to_owned(), topic: message.topic.expose().to_owned() };
        let mut made = self.admission.admit(told, sent_at, judgement.runs);
        made.retain(|made| self.tally.run(made));
        made
    }

    /// Everything that was counted, and the runs that windows let go after the last message.
    fn finish(mut self) -> (Tally, Vec<Made>) {
        let mut made = self.admission.finish();
        made.retain(|made| self.tally.run(made));
        self.tally.merged = self.admission.merged;
        self.tally.kept_back(self.admission.kept_back());
        (self.tally, made)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_day_is_its_first_moment() {
        assert_eq!(time("2024-05-01").unwrap().to_string(), "2024-05-01T00:00:00.000Z");
        assert_eq!(time("2024-05-01T12:00:00+02:00").unwrap().to_string(), "2024-05-01T10:00:00.000Z");
        assert!(time("yesterday").unwrap_err().contains("2024-05-01"));
    }
}
