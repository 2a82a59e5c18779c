//! `taskbot lock`: pins each task to the commit that its repository has now.

use std::process::ExitCode;

use clap::Args;
use taskbot_runtime::fetch;
use taskbot_runtime::limits;
use taskbot_runtime::lock::{self, LockedTask};

use crate::output::{self, Failure, Format, count};
use crate::rules;
use crate::site::{self, Site};

/// Pin the tasks that the rules run to the commits that their repositories have now, in taskbot.lock.
///
/// The file is reviewed like code: a task runs at the commit that it names.
#[derive(Debug, Args)]
pub struct Lock {
    #[command(flatten)]
    site: Site,
    /// Who reads the output.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Lock {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Failure> {
        tokio::runtime::Runtime::new()?.block_on(self.resolve())
    }

    async fn resolve(self) -> Result<ExitCode, Failure> {
        let config = site::with_standard_tasks(self.site.config()?).await?;
        let compiled = rules::load(&config.rules)?;
        let Some(graph) = compiled.graph else {
            return Err(Failure::new("the rules have errors; see `taskbot check`"));
        };
        let standard_tasks = config.standard_tasks.unwrap_or_default();
        let mut tasks = Vec::new();
        for task in &graph.tasks {
            let url = match task.repository.strip_prefix("standard:") {
                Some(name) => standard_tasks.join(format!("{name}.git")).display().to_string(),
                None => task.repository.clone(),
            };
            let commit =
                fetch::resolve(&url, task.reference.as_deref(), limits::FETCH_DEADLINE, &config.downloads)
                    .await
                    .map_err(|e| Failure::new(format!("task {}: {e}", task.name)))?;
            tasks.push(LockedTask { name: task.name.clone(), repository: task.repository.clone(), commit });
        }
        tasks.sort_by(|a, b| a.name.cmp(&b.name));
        let lock = lock::Lock { version: lock::VERSION, tasks };
        lock.write(&config.lock)?;
        match self.format {
            Format::Json => output::json(&lock)?,
            Format::Human => {
                output::line(format!(
                    "{}: {} pinned",
                    config.lock.display(),
                    count(lock.tasks.len(), "task")
                ));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
