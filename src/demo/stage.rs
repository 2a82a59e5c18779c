//! The demonstration's site: a directory with everything that a real one has.
//!
//! Comes in: a directory. Goes out: rules.tb, facts.toml, builds of the sample packages, and taskbot.toml in it. A former
//! demonstration is replaced; a directory that is none is never touched.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use taskbot_runtime::spawn::{self, CommandRequest, Confinement, Ended, ProcessLimits, WorkerProgram};
use taskbot_stdlib::FileMode;
use tokio_util::sync::CancellationToken;

use crate::output::Failure;

const RULES: &str = include_str!("../../rules.tb");
const FACTS: &str = include_str!("facts.toml");
const CONFIG: &str = include_str!("taskbot.toml");
const MESSAGES: &str = include_str!("messages.jsonl");
/// Tells a former demonstration from any other directory.
const MARK: &str = ".taskbot-demo";
/// Building three small packages.
const BUILDING: Duration = Duration::from_secs(120);
/// Of the builder's output, what is shown if it fails.
const OUTPUT_BYTES: usize = 64 << 10;

/// The recorded messages, one a line.
pub fn messages() -> impl Iterator<Item = &'static str> {
    MESSAGES.lines()
}

/// Fills the directory; gives its absolute path.
pub async fn set(dir: &Path) -> Result<PathBuf, Failure> {
    let dir = std::path::absolute(dir)?;
    let cannot =
        |what: &str, e: std::io::Error| Failure::new(format!("cannot {what} {}: {e}", dir.display()));
    if dir.join(MARK).exists() {
        std::fs::remove_dir_all(&dir).map_err(|e| cannot("replace", e))?;
    } else if dir.exists() {
        return Err(Failure::new(format!(
            "{} is there already and no demonstration: choose another --dir",
            dir.display()
        )));
    }
    std::fs::create_dir_all(&dir).map_err(|e| cannot("make", e))?;
    for (name, text) in [(MARK, ""), ("rules.tb", RULES), ("facts.toml", FACTS), ("messages.jsonl", MESSAGES)]
    {
        std::fs::write(dir.join(name), text).map_err(|e| cannot("write to", e))?;
    }
    let samples = dir.join("samples");
    for tree in taskbot_stdlib::samples() {
        for (path, bytes, mode) in tree.files {
            let path = samples.join(tree.name).join(path);
            path.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(|e| cannot("write to", e))?;
            std::fs::write(&path, bytes).map_err(|e| cannot("write to", e))?;
            if *mode == FileMode::Executable {
                use std::os::unix::fs::PermissionsExt as _;
                let permissions = std::fs::Permissions::from_mode(0o755);
                std::fs::set_permissions(&path, permissions).map_err(|e| cannot("write to", e))?;
            }
        }
    }
    build(&samples, &dir.join("builds")).await?;
    Ok(dir)
}

/// Builds the sample packages.
async fn build(samples: &Path, builds: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(builds)?;
    let text = |path: &Path| path.display().to_string();
    let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".into());
    let request = CommandRequest {
        argv: vec![
            "python3".into(),
            text(&samples.join("make-builds/make-builds")),
            text(samples),
            text(builds),
        ],
        dir: samples.to_owned(),
        env: BTreeMap::from([
            ("PATH".into(), path),
            ("LANG".into(), "C.UTF-8".into()),
            ("HOME".into(), text(samples)),
        ]),
        stdin: String::new(),
        timeout: BUILDING,
        limits: ProcessLimits::default(),
        confinement: Confinement::User,
    };
    let built =
        spawn::capture(&WorkerProgram::current(), request, OUTPUT_BYTES, &CancellationToken::new()).await?;
    if built.ended != Ended::Exit(0) {
        let said = String::from_utf8_lossy(&built.stderr).into_owned();
        return Err(Failure::new(format!(
            "building the sample packages failed ({:?}); is python3 there? {said}",
            built.ended
        )));
    }
    Ok(())
}

/// Writes taskbot.toml for this publisher; gives its path.
pub fn configure(dir: &Path, endpoint: &str) -> Result<PathBuf, Failure> {
    let path = dir.join("taskbot.toml");
    std::fs::write(&path, CONFIG.replace("@ENDPOINT@", endpoint))?;
    Ok(path)
}
