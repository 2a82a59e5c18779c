//! `[[sink]]`: which sinks there are, and what all of them can be told.
//!
//! Comes in: tables of `taskbot.toml`. Goes out: the configuration of each sink, which its own file declares; this is the
//! one list of them. Paths are resolved and values checked here, so that a sink never meets a setting that cannot work.
//! It opens nothing.

use std::path::PathBuf;

use serde::Deserialize;

use super::{amqp, directory, fedmsg, index, resultsdb, webhook};
use crate::store::RunReport;
use crate::task::Outcome;

/// `[[sink]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SinkConfig {
    /// Files of a run, in formats that other tools read.
    Directory(directory::Config),
    /// Pages for people, with the artifacts.
    Index(index::Config),
    /// ResultsDB, API v2.0.
    Resultsdb(resultsdb::Config),
    /// A POST to a URL.
    Webhook(webhook::Config),
    /// Messages to whoever subscribes, as fedmsg.
    Fedmsg(fedmsg::Config),
    /// Messages to a broker, as fedora-messaging.
    Amqp(amqp::Config),
}

/// What every sink's configuration has.
pub(super) trait Settings {
    /// Its name in logs and in the outbox.
    fn name(&self) -> &str;
    /// What it is told.
    fn only(&self) -> &Only;
    /// The files that it names, to be resolved.
    fn paths(&mut self) -> Vec<&mut PathBuf>;
    /// What cannot work.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

impl SinkConfig {
    fn settings(&self) -> &dyn Settings {
        match self {
            Self::Directory(config) => config,
            Self::Index(config) => config,
            Self::Resultsdb(config) => config,
            Self::Webhook(config) => config,
            Self::Fedmsg(config) => config,
            Self::Amqp(config) => config,
        }
    }

    fn settings_mut(&mut self) -> &mut dyn Settings {
        match self {
            Self::Directory(config) => config,
            Self::Index(config) => config,
            Self::Resultsdb(config) => config,
            Self::Webhook(config) => config,
            Self::Fedmsg(config) => config,
            Self::Amqp(config) => config,
        }
    }

    /// Its name in logs and in the outbox.
    pub fn name(&self) -> &str {
        self.settings().name()
    }

    /// Which runs and results it is told.
    pub fn only(&self) -> &Only {
        self.settings().only()
    }

    /// Applies `resolve` to every path.
    pub(crate) fn resolve(&mut self, resolve: impl Fn(&mut PathBuf)) {
        self.settings_mut().paths().into_iter().for_each(resolve);
    }

    /// Says what cannot work.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.settings().check().map_err(|what| format!("[[sink]] '{}': {what}", self.name()))
    }
}

/// `only`: which runs and results a sink is told; what is empty lets all through.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Only {
    /// Names of tasks.
    pub tasks: Vec<String>,
    /// Outcomes; a run that is left without a result is not told at all.
    pub outcomes: Vec<Outcome>,
}

impl Only {
    /// The part of a run that is told; none: nothing of it.
    pub fn of(&self, mut run: RunReport) -> Option<RunReport> {
        if !self.tasks.is_empty() && !self.tasks.contains(&run.run.task) {
            return None;
        }
        if !self.outcomes.is_empty() {
            run.results.retain(|result| self.outcomes.contains(&result.outcome));
            if run.results.is_empty() {
                return None;
            }
        }
        Some(run)
    }
}
