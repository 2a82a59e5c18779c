//! One attempt at a run: its directory and what is done in it.
//!
//! Comes in: typed inputs and a checkout. Goes out: how each step ended; kept files. Everything of an attempt is
//! below its root, which cleaning removes as a whole; what is kept is linked into the artifact directory before.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;

use super::failure;
use super::wipe::remove_all;
use crate::class::ErrorClass;
use crate::dispatch::{Failure, StepReport};
use crate::effect::Artifact;
use crate::executor::{Ended, Executor, Place, TaskCommand};
use crate::task::download::{self, DownloadConfig, DownloadProgress, DownloadRequest};
use crate::task::manifest::{Destructive, Environment, EnvironmentKind, Network};
use crate::task::plan::FetchWhat;
use crate::task::{
    Manifest, Plan, PlannedCommand, PlannedFetch, RunDirs, RunIds, artifacts, prepare, prepare_check, results,
};

/// Name of the log below an attempt's directory.
pub(super) const LOG: &str = "log";

/// One attempt.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    /// Its directories.
    pub(super) dirs: RunDirs,
    /// What cleaning removes.
    root: PathBuf,
    /// Where kept files go.
    kept: PathBuf,
    run: String,
    number: u32,
    inputs: Vec<(String, String)>,
    /// The longest that the command may take, whatever its manifest says.
    timeout: Option<Duration>,
    executor: Executor,
}

impl Attempt {
    pub(super) fn new(
        root: PathBuf,
        kept: PathBuf,
        run: String,
        number: u32,
        inputs: Vec<(String, String)>,
        executor: Executor,
    ) -> Self {
        let dirs = RunDirs {
            work: root.join("work"),
            checkout: root.join("task"),
            fetched: root.join("fetched"),
            artifacts: root.join("artifacts"),
            results_file: root.join("results").join("results.yml"),
            event_file: root.join("event.json"),
            log_file: root.join(LOG),
        };
        Self { dirs, root, kept, run, number, inputs, timeout: None, executor }
    }

    /// With a limit of its command beside the manifest's.
    pub(super) fn within(self, timeout: Option<Duration>) -> Self {
        Self { timeout, ..self }
    }

    /// Makes the directories anew; wipes what an earlier life of the daemon left.
    pub(super) async fn provision(&self, event: String) -> Result<StepReport, Failure> {
        let this = self.clone();
        blocking(move || {
            remove_all(&this.root)?;
            for dir in [&this.dirs.work, &this.dirs.fetched, &this.dirs.artifacts, &this.kept] {
                fs::create_dir_all(dir)?;
            }
            if let Some(dir) = this.dirs.results_file.parent() {
                fs::create_dir_all(dir)?;
            }
            fs::write(&this.dirs.event_file, event)
        })
        .await?
        .map_err(|e| failure(ErrorClass::Transient, format!("{}: {e}", self.root.display())))?;
        Ok(StepReport::default())
    }

    /// Reads the checkout's manifest and makes sure that this machine can run it with these inputs.
    pub(super) async fn check(&self) -> Result<StepReport, Failure> {
        let (_, plan) = self.plan().await?;
        if plan.environment.network == Network::Granted {
            let message = "not available on this machine: needs the network (`environment.network`), and this taskbot has none \
                           for tasks that would keep them from the machine's neighbours; let [[fetch]] get what it needs";
            return Err(failure(ErrorClass::Permanent, message));
        }
        let beyond =
            |what: String| failure(ErrorClass::Permanent, format!("not available on this machine: {what}"));
        self.place(&plan.environment).map_err(beyond)?;
        self.executor.most.asked_by(&plan.environment).map_err(beyond)?;
        Ok(StepReport { retries: Some(plan.infrastructure_retries), ..StepReport::default() })
    }

    /// Where the task's commands run.
    fn place(&self, environment: &Environment) -> Result<Place, String> {
        match environment.kind {
            EnvironmentKind::Sandbox => Ok(Place::Sandbox),
            EnvironmentKind::Container => {
                let image = self.executor.containers.image(environment.image.as_deref())?;
                Ok(Place::Container(image.to_owned()))
            }
            EnvironmentKind::Vm | EnvironmentKind::Cloud | EnvironmentKind::IsoInstall => {
                let needs = environment.kind.phrase();
                let why = match environment.destructive {
                    Destructive::Yes => {
                        ": the task is destructive and runs in a machine of its own or not at all"
                    }
                    Destructive::No => "",
                };
                Err(format!("needs {needs}, and this taskbot has only its sandbox and containers{why}"))
            }
        }
    }

    /// Checks that what the task needs is installed, then runs its own preparation.
    pub(super) async fn prepare(&self, cancel: &CancellationToken) -> Result<StepReport, Failure> {
        let (_, plan) = self.plan().await?;
        let mut commands = plan.prepare.clone();
        if plan.environment.kind == EnvironmentKind::Container {
            commands.splice(0..0, prepare::check_command(&plan));
        } else {
            let checked = plan.clone();
            blocking(move || prepare_check(&checked))
                .await?
                .map_err(|e| failure(e.class(), e.to_string()))?;
        }
        for command in &commands {
            let ended = self.execute(&plan, command, cancel).await?;
            if let Some(failed) = prepare::failure(ended, &self.dirs.log_file) {
                return Err(failure(failed.class, failed.message));
            }
        }
        Ok(StepReport::default())
    }

    /// Gets the external files; `tell` hears now and then how far it is.
    pub(super) async fn download(
        &self,
        site: &DownloadConfig,
        cancel: &CancellationToken,
        mut tell: impl FnMut(DownloadProgress),
    ) -> Result<StepReport, Failure> {
        let (_, plan) = self.plan().await?;
        let mut files = 0;
        for fetch in plan.fetches {
            files += self.get(fetch, site, cancel, &mut tell).await?;
        }
        Ok(StepReport {
            detail: (files > 0)
                .then(|| if files == 1 { "1 file".to_owned() } else { format!("{files} files") }),
            ..StepReport::default()
        })
    }

    /// Takes files of this machine for what the task would download.
    pub(super) async fn take_files(
        &self,
        sources: &[PathBuf],
        cancel: &CancellationToken,
    ) -> Result<StepReport, Failure> {
        let mut files = 0;
        for path in sources {
            let fetch = PlannedFetch { what: FetchWhat::Given { path: path.clone() }, into: PathBuf::new() };
            files += self.get(fetch, &DownloadConfig::default(), cancel, |_| ()).await?;
        }
        let detail = Some(format!("{files} of your own, instead of the task's downloads"));
        Ok(StepReport { detail, ..StepReport::default() })
    }

    /// Makes one download; gives the number of its files.
    async fn get(
        &self,
        fetch: PlannedFetch,
        site: &DownloadConfig,
        cancel: &CancellationToken,
        tell: impl FnMut(DownloadProgress),
    ) -> Result<usize, Failure> {
        let request = DownloadRequest::new(fetch, self.dirs.fetched.clone(), site.clone());
        let got = download::download(&self.executor.workers, request, cancel, tell).await;
        Ok(got.map_err(|e| failure(e.class(), e.to_string()))?.len())
    }

    /// Runs the task's command.
    pub(super) async fn run(&self, cancel: &CancellationToken) -> Result<StepReport, Failure> {
        let (_, plan) = self.plan().await?;
        let ended = self.execute(&plan, &plan.run, cancel).await?;
        let detail = match ended {
            Ended::Exit(code) => format!("exit code {code}"),
            Ended::Signal(signal) => format!("ended by signal {signal}"),
            Ended::TimedOut => format!("killed after {} s", plan.run.timeout.as_secs()),
            Ended::Cancelled => "cancelled".into(),
        };
        Ok(StepReport { detail: Some(detail), ended: Some(ended), ..StepReport::default() })
    }

    /// Reads what the task left behind and keeps its artifacts.
    pub(super) async fn report(&self, ended: Ended) -> Result<StepReport, Failure> {
        let (manifest, plan) = self.plan().await?;
        let this = self.clone();
        blocking(move || {
            let collected = results::collect(&manifest, &this.dirs, ended, &plan.subject);
            let index = artifacts::index(&manifest, &this.dirs);
            // By path: whatever a task leaves, the record of a run holds each name once.
            let mut kept = BTreeMap::new();
            for artifact in index.kept {
                this.keep(&this.dirs.artifacts.join(&artifact.path), Path::new(&artifact.path))
                    .map_err(|e| failure(ErrorClass::Transient, format!("keeping {}: {e}", artifact.path)))?;
                let path = PathBuf::from(artifact.path);
                let one = Artifact { path, size_bytes: artifact.bytes, sha256: artifact.sha256 };
                kept.insert(one.path.clone(), one);
            }
            let log = this.keep_log().map_err(|e| failure(ErrorClass::Transient, format!("the log: {e}")))?;
            kept.extend(log.map(|log| (log.path.clone(), log)));
            let listed = this.keep_index(kept.values());
            let listed = listed.map_err(|e| failure(ErrorClass::Transient, format!("the index: {e}")))?;
            kept.insert(listed.path.clone(), listed);
            let problems: Vec<String> = collected.problems.into_iter().chain(index.left_out).collect();
            let detail = (!problems.is_empty()).then(|| problems.join("; "));
            let artifacts = kept.into_values().collect();
            Ok(StepReport { detail, results: collected.results, artifacts, ..StepReport::default() })
        })
        .await?
    }

    /// Runs the task's own cleaning, then removes everything of the attempt but its log.
    pub(super) async fn clean_up(&self, cancel: &CancellationToken) -> Result<StepReport, Failure> {
        let detail = self.own_cleaning(cancel).await;
        let this = self.clone();
        blocking(move || {
            this.keep_log()?;
            remove_all(&this.root)?;
            // The run's directory goes with its last attempt.
            match this.root.parent().map(fs::remove_dir) {
                Some(Err(e)) if !matches!(e.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::NotFound) => {
                    Err(e)
                }
                _ => Ok(()),
            }
        })
        .await?
        .map_err(|e| failure(ErrorClass::Transient, format!("removing {}: {e}", self.root.display())))?;
        Ok(StepReport { detail, ..StepReport::default() })
    }

    /// Runs the task's own cleaning and leaves everything else where it is.
    pub(super) async fn leave(&self, cancel: &CancellationToken) -> Result<StepReport, Failure> {
        let detail = self.own_cleaning(cancel).await;
        let this = self.clone();
        let kept = blocking(move || this.keep_log()).await?;
        kept.map_err(|e| failure(ErrorClass::Transient, format!("the log: {e}")))?;
        let left = format!("left in {}", self.root.display());
        let detail = detail.map_or_else(|| left.clone(), |problems| format!("{problems}; {left}"));
        Ok(StepReport { detail: Some(detail), ..StepReport::default() })
    }

    /// What went wrong in the task's own cleaning; that changes no verdict.
    pub(super) async fn own_cleaning(&self, cancel: &CancellationToken) -> Option<String> {
        // Without a checkout there is nothing that it could clean.
        let (_, plan) = self.plan().await.ok()?;
        let mut problems = Vec::new();
        for command in &plan.cleanup {
            match self.execute(&plan, command, cancel).await {
                Ok(Ended::Exit(0)) => {}
                Ok(ended) => problems.push(format!("cleanup ended with {ended:?}")),
                Err(failed) => problems.push(failed.message),
            }
        }
        (!problems.is_empty()).then(|| problems.join("; "))
    }

    /// The manifest of the checkout, and what it means for these inputs.
    pub(super) async fn plan(&self) -> Result<(Manifest, Plan), Failure> {
        let this = self.clone();
        blocking(move || {
            let wrong = |e: crate::task::ManifestError| failure(e.class(), e.to_string());
            let mut manifest = Manifest::read(&this.dirs.checkout).map_err(wrong)?;
            manifest.run.timeout = this.timeout.map_or(manifest.run.timeout, |t| t.min(manifest.run.timeout));
            let deadline = SystemTime::now() + manifest.run.timeout;
            let ids = RunIds { run: this.run, attempt: this.number, deadline };
            let plan = manifest.plan(&this.inputs, &this.dirs, &ids).map_err(wrong)?;
            Ok((manifest, plan))
        })
        .await?
    }

    async fn execute(
        &self,
        plan: &Plan,
        command: &PlannedCommand,
        cancel: &CancellationToken,
    ) -> Result<Ended, Failure> {
        let place = self.place(&plan.environment).map_err(|why| failure(ErrorClass::Permanent, why))?;
        let bounds = self.executor.most.asked_by(&plan.environment);
        let bounds = bounds.map_err(|what| failure(ErrorClass::Permanent, what))?;
        let command = TaskCommand {
            argv: command.argv.clone(),
            dir: plan.dir.clone(),
            env: plan.env.clone(),
            log: self.dirs.log_file.clone(),
            writable: plan.writable.clone(),
            readable: vec![
                self.dirs.checkout.clone(),
                self.dirs.fetched.clone(),
                self.dirs.event_file.clone(),
            ],
            bounds,
            place,
            timeout: command.timeout.max(Duration::from_millis(1)),
        };
        self.executor.execute(command, cancel).await.map_err(|e| failure(e.class(), e.to_string()))
    }

    /// Links a file of the attempt to where it is kept: no copy, and a second time changes nothing.
    fn keep(&self, file: &Path, name: &Path) -> io::Result<()> {
        let kept = self.kept.join(name);
        if let Some(dir) = kept.parent() {
            fs::create_dir_all(dir)?;
        }
        match fs::remove_file(&kept) {
            // An earlier attempt kept a folder there.
            Err(e) if e.kind() == ErrorKind::IsADirectory => remove_all(&kept)?,
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        fs::hard_link(file, &kept)
    }

    /// Writes beside the kept files which they are, with sizes and hashes.
    fn keep_index<'a>(&self, kept: impl Iterator<Item = &'a Artifact>) -> io::Result<Artifact> {
        let text = artifacts::index_json(&self.run, self.number, kept)?;
        let path = PathBuf::from(artifacts::index_name(self.number));
        // Renamed into its place: whoever reads it reads a whole one.
        let (made, target) = (self.root.join("index"), self.kept.join(&path));
        fs::write(&made, &text)?;
        fs::rename(made, target)?;
        Ok(Artifact {
            path,
            size_bytes: text.len() as u64,
            sha256: artifacts::sha256(&mut text.as_slice())?.0,
        })
    }

    /// Keeps the log as an artifact; none: nothing was logged.
    fn keep_log(&self) -> io::Result<Option<Artifact>> {
        let mut file = match fs::File::open(&self.dirs.log_file) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let path = PathBuf::from(artifacts::log_name(self.number));
        self.keep(&self.dirs.log_file, &path)?;
        let (sha256, size_bytes) = artifacts::sha256(&mut file)?;
        Ok(Some(Artifact { path, size_bytes, sha256 }))
    }
}

/// Runs what waits for the disk beside the daemon's other work.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| failure(ErrorClass::Transient, "the step was cut off inside the daemon"))
}
