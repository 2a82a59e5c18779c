//! `taskbot release`: lets held requests go now.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use taskbot_runtime::orders::{self, Order};
use taskbot_runtime::store::HeldRow;

use crate::output::{self, FINDINGS, Failure, Format, shown};
use crate::site::Site;

/// Let go now what `after ... quiet` and `at most` hold: a running daemon does it within a second, a stopped one when it
/// starts.
///
/// The runs count for `at most`, so that what comes next is held for longer. Exit code 1: nothing is held.
#[derive(Debug, Args)]
pub struct Release {
    /// Of this rule only.
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    #[command(flatten)]
    site: Site,
    /// Who reads the output.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Release {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Failure> {
        let mut held = self.site.store()?.status()?.held;
        held.retain(|row| self.rule.as_ref().is_none_or(|rule| *rule == row.rule));
        if !held.is_empty() {
            orders::leave(&self.site.config()?.state_dir, &Order::Release { rule: self.rule.clone() })
                .map_err(|error| Failure::new(error.to_string()))?;
        }
        match self.format {
            Format::Json => output::json(&json!({ "asked": held }))?,
            Format::Human => say(&held, self.rule.as_deref()),
        }
        Ok(if held.is_empty() { ExitCode::from(FINDINGS) } else { ExitCode::SUCCESS })
    }
}

fn say(held: &[HeldRow], rule: Option<&str>) {
    if held.is_empty() {
        let whose = rule.map_or(String::new(), |rule| format!(" for rule {}", shown(rule)));
        output::line(format!("nothing is held{whose}; `taskbot status` shows what is"));
    }
    for row in held {
        let requests = output::count(usize::try_from(row.requests).unwrap_or(0), "request");
        output::line(format!(
            "{requests} of rule {}, held by {}: to be let go; a running daemon does it now, a stopped one when it starts",
            shown(&row.rule),
            row.window
        ));
    }
}
