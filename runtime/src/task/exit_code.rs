//! What the end of a task's command says, by the manifest's lists of exit codes.
//!
//! Comes in: the lists and how the command ended. Goes out: an outcome and a note. An end that the lists do not
//! name is NEEDS_INSPECTION: it says that something happened, not that the tested item is bad.

use super::Outcome;
use super::manifest::Exit;
use crate::executor::Ended;

/// What the end of a command says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It passed.
    Pass,
    /// It failed.
    Fail,
    /// It had nothing to do.
    Skip,
    /// It did not say: why.
    Unclear(String),
}

pub(super) fn said(exit: &Exit, ended: Ended) -> Said {
    match ended {
        Ended::Exit(code) if exit.pass.contains(&code) => Said::Pass,
        Ended::Exit(code) if exit.fail.contains(&code) => Said::Fail,
        Ended::Exit(code) if exit.skip.contains(&code) => Said::Skip,
        Ended::Exit(126) => Said::Unclear("exit code 126: the command cannot be executed".into()),
        Ended::Exit(127) => Said::Unclear("exit code 127: command not found".into()),
        Ended::Exit(code) => Said::Unclear(format!("exit code {code} has no meaning in `run.exit`")),
        Ended::Signal(signal) => Said::Unclear(format!("ended by signal {signal}")),
        Ended::TimedOut => Said::Unclear("killed at its timeout".into()),
        Ended::Cancelled => Said::Unclear("cancelled before it ended".into()),
    }
}

/// The one result of a task that reports nothing else.
pub(super) fn outcome(said: &Said) -> (Outcome, String) {
    match said {
        Said::Pass => (Outcome::Passed, String::new()),
        Said::Fail => (Outcome::Failed, String::new()),
        Said::Skip => (Outcome::Info, "skipped".into()),
        Said::Unclear(why) => (Outcome::NeedsInspection, why.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ended: Ended) -> (Outcome, String) {
        outcome(&said(&Exit { pass: vec![0], fail: vec![1, 2], skip: vec![77] }, ended))
    }

    #[test]
    fn each_end_has_one_meaning() {
        assert_eq!(of(Ended::Exit(0)).0, Outcome::Passed);
        assert_eq!(of(Ended::Exit(2)).0, Outcome::Failed);
        assert_eq!(of(Ended::Exit(77)), (Outcome::Info, "skipped".into()));
        assert_eq!(of(Ended::Exit(3)).0, Outcome::NeedsInspection);
        assert!(of(Ended::Exit(3)).1.contains("exit code 3"));
        assert_eq!(of(Ended::Signal(9)), (Outcome::NeedsInspection, "ended by signal 9".into()));
        assert_eq!(of(Ended::TimedOut).0, Outcome::NeedsInspection);
        assert_eq!(of(Ended::Cancelled).0, Outcome::NeedsInspection);
    }
}
