//! A site: its configuration, its rules as the daemon takes them, its store.
//!
//! Comes in: the path of `taskbot.toml`. Goes out: the configuration with everything filled in that this command provides, the
//! `reload` function that compiles its rules, a reader of its store. Without a file the defaults are meant.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use taskbot_compiler::Compiler;
use taskbot_runtime::config::Config;
use taskbot_runtime::daemon::Reload;
use taskbot_runtime::store::Reader;

use crate::check;
use crate::output::{Failure, Paint};
use crate::{rules, standard_tasks};

/// Which site is meant.
#[derive(Debug, Args)]
pub struct Site {
    /// The site's configuration; without the file, its defaults are meant.
    #[arg(long, value_name = "FILE", default_value = "taskbot.toml")]
    config: PathBuf,
}

impl Site {
    /// Its configuration.
    pub fn config(&self) -> Result<Config, Failure> {
        if !self.config.exists() && self.config == Path::new("taskbot.toml") {
            return Ok(Config::parse("", &self.config)?);
        }
        Ok(Config::read(&self.config)?)
    }

    /// Its store, as it is now.
    pub fn store(&self) -> Result<Reader, Failure> {
        Ok(Reader::open(&self.config()?.state_dir)?)
    }
}

/// Fills in the standard tasks.
pub async fn with_standard_tasks(mut config: Config) -> Result<Config, Failure> {
    if config.standard_tasks.is_none() {
        config.standard_tasks = Some(standard_tasks::prepare(&config.state_dir).await?);
    }
    Ok(config)
}

/// Compiles the site's rules whenever the daemon asks; what is wrong with them is the error's text. What did not change since it
/// asked last is not compiled again.
pub fn reload(paths: Vec<PathBuf>) -> Reload {
    let compiler = Mutex::new(Compiler::default());
    Arc::new(move || {
        let mut compiler = compiler.lock().unwrap_or_else(PoisonError::into_inner);
        let compiled = rules::load_again(&mut compiler, &paths).map_err(|failure| failure.to_string())?;
        match &compiled.graph {
            Some(graph) => Ok(graph.to_bytes()),
            None => {
                let findings = check::print_findings(compiled, Paint::plain()).join("\n");
                Err(format!("the rules have errors; nothing was started or changed\n{findings}"))
            }
        }
    })
}
