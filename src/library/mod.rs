//! `taskbot events`, `taskbot tasks`, `taskbot facts`: what rules can speak of.
//!
//! Comes in: the standard library, and one's own files. Goes out: tables of names with the first line of their documentation, or
//! everything about one of them. `catalogue` reads the declarations, `show` prints them. Nothing of the library is known here: it is
//! read like any other file.

mod catalogue;
mod show;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use taskbot_graph::Glob;

use crate::names::did_you_mean;
use crate::output::{self, FINDINGS, Failure, Format, Paint};
use crate::{check, rules};
use catalogue::Catalogue;

/// List the events that rules can wait for, or tell all about one
///
/// An event is a typed, named view of messages: its values are what conditions and arguments read, its dialects the topics and
/// shapes in which it is told.
///
///   taskbot events
///
///   taskbot events bodhi.update.testing
///
///   taskbot events 'koji.*' --rules own.tb
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Events {
    #[command(flatten)]
    asked: Asked,
}

/// List the tasks that rules can run, or tell all about one
///
///   taskbot tasks
///
///   taskbot tasks static-analysis
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Tasks {
    #[command(flatten)]
    asked: Asked,
}

/// List the facts that conditions can read, or tell all about one
///
/// A fact is in no message: it is asked of a provider that the site configures, and belongs to values of its type. `package.lang`
/// is the fact `nvr.lang` of an event's value `package: nvr`.
///
///   taskbot facts
///
///   taskbot facts nvr.lang
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Facts {
    #[command(flatten)]
    asked: Asked,
}

#[derive(Debug, Args)]
struct Asked {
    /// A name, the beginning of names, or a pattern with `*`.
    name: Option<String>,
    /// Files with declarations of your own, beside the standard library.
    #[arg(long, value_name = "FILE")]
    rules: Vec<PathBuf>,
    /// Who reads the output; programs get everything about each.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Something with a name.
pub trait Named {
    /// Its name.
    fn name(&self) -> &str;
}

impl Events {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Failure> {
        self.asked.answer("event", |c| &c.events, show::events, show::event)
    }
}

impl Tasks {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Failure> {
        self.asked.answer("task", |c| &c.tasks, show::tasks, show::task)
    }
}

impl Facts {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Failure> {
        self.asked.answer("fact", |c| &c.facts, show::facts, show::fact)
    }
}

impl Asked {
    fn answer<E: Named + Serialize>(
        &self,
        kind: &str,
        entries: impl Fn(&Catalogue) -> &[E],
        table: impl Fn(&[&E], Paint),
        details: impl Fn(&E, &Catalogue, Paint),
    ) -> Result<ExitCode, Failure> {
        let compiled = rules::load(&self.rules)?;
        if compiled.graph.is_none() {
            check::print_findings(&compiled, Paint::of(&io::stderr())).into_iter().for_each(output::remark);
            return Ok(ExitCode::from(FINDINGS));
        }
        let catalogue = Catalogue::of(&compiled);
        let all = entries(&catalogue);
        let found = match &self.name {
            None => all.iter().collect(),
            Some(name) => named(name, all)?,
        };
        let paint = Paint::of(&io::stdout());
        match (self.format, found.as_slice(), &self.name) {
            (_, [], Some(name)) => {
                let near = did_you_mean(name, all.iter().map(Named::name));
                Err(Failure::new(format!("there is no {kind} {name}{near}\n`taskbot {kind}s` lists all")))
            }
            (Format::Json, found, _) => output::json(&found).map(|()| ExitCode::SUCCESS),
            (Format::Human, [one], Some(_)) => {
                details(one, &catalogue, paint);
                Ok(ExitCode::SUCCESS)
            }
            (Format::Human, found, _) => {
                table(found, paint);
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

/// The one of this name; else those that match it as a pattern, or begin with it.
fn named<'e, E: Named>(name: &str, all: &'e [E]) -> Result<Vec<&'e E>, Failure> {
    if let Some(exact) = all.iter().find(|entry| entry.name() == name) {
        return Ok(vec![exact]);
    }
    if name.contains(['*', '?', '[']) {
        let glob = Glob::new(name).map_err(|why| Failure::new(format!("{name} is no pattern: {why}")))?;
        return Ok(all.iter().filter(|entry| glob.matches(entry.name())).collect());
    }
    Ok(all.iter().filter(|entry| entry.name().starts_with(name)).collect())
}
