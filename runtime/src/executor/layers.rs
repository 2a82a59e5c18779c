//! The layers of isolation that this machine has, found once at start.
//!
//! Comes in: the kernel and the installed tools. Goes out: the list that is said at start, and a refusal when
//! the configuration requires one that is missing. It never degrades in silence.

use std::fmt;

use landlock::RulesetStatus;
use serde::{Deserialize, Serialize};

use crate::worker::exec::landlock_domain;

/// One layer between a task and the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// Own session and process group; orphans are found and killed.
    ProcessGroup,
    /// Limits of processor time, memory, processes, files.
    Rlimits,
    /// No program can gain rights by a set-user-id bit.
    NoNewPrivileges,
    /// The kernel refuses writes outside the granted directories, and signals to other processes where it can.
    Landlock,
    /// Own namespaces by bubblewrap; not used yet.
    Bubblewrap,
}

impl Layer {
    /// Every layer, from the outermost need to the strongest.
    pub const ALL: [Self; 5] =
        [Self::ProcessGroup, Self::Rlimits, Self::NoNewPrivileges, Self::Landlock, Self::Bubblewrap];
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ProcessGroup => "process-group",
            Self::Rlimits => "rlimits",
            Self::NoNewPrivileges => "no-new-privileges",
            Self::Landlock => "landlock",
            Self::Bubblewrap => "bubblewrap",
        })
    }
}

/// The layers that tasks run in on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layers {
    /// In the order of `Layer::ALL`.
    pub present: Vec<Layer>,
}

/// Layers that the configuration requires and this machine does not give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingLayers(pub Vec<Layer>);

impl fmt::Display for MissingLayers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        write!(
            f,
            "tasks are required to run behind {}, which this machine does not give; \
             take it from the required layers only if that is meant",
            names.join(", ")
        )
    }
}

impl std::error::Error for MissingLayers {}

impl Layers {
    /// Whether every required layer is there.
    ///
    /// # Errors
    /// `MissingLayers` names the ones that are not.
    pub fn check(&self, require: &[Layer]) -> Result<(), MissingLayers> {
        let missing: Vec<Layer> =
            require.iter().copied().filter(|layer| !self.present.contains(layer)).collect();
        if missing.is_empty() { Ok(()) } else { Err(MissingLayers(missing)) }
    }
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.present.iter().map(ToString::to_string).collect();
        f.write_str(&names.join(", "))
    }
}

/// Finds the layers of this machine; a few milliseconds.
pub fn layers() -> Layers {
    let present = Layer::ALL.into_iter().filter(|layer| match layer {
        Layer::ProcessGroup | Layer::Rlimits => true,
        Layer::NoNewPrivileges => rustix::thread::no_new_privs().is_ok(),
        Layer::Landlock => landlock_works(),
        Layer::Bubblewrap => false,
    });
    Layers { present: present.collect() }
}

/// Tries it on a thread of its own, since there is no way out of a Landlock domain.
fn landlock_works() -> bool {
    let tried = std::thread::spawn(|| landlock_domain(&[])).join();
    matches!(tried, Ok(Ok(RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_required_layer_that_is_missing_is_named() {
        let layers = Layers { present: vec![Layer::ProcessGroup, Layer::Rlimits] };
        assert_eq!(layers.check(&[Layer::Rlimits]), Ok(()));
        let missing = layers.check(&[Layer::Rlimits, Layer::Landlock, Layer::Bubblewrap]);
        assert_eq!(missing, Err(MissingLayers(vec![Layer::Landlock, Layer::Bubblewrap])));
    }

    #[test]
    fn what_every_linux_has_is_found_and_what_is_not_used_is_not_said() {
        let layers = layers();
        assert_eq!(layers.check(&[Layer::ProcessGroup, Layer::Rlimits, Layer::NoNewPrivileges]), Ok(()));
        assert!(layers.check(&[Layer::Bubblewrap]).is_err());
        let later = std::fs::write(std::env::temp_dir().join("taskbot-layers-test"), b"");
        assert!(later.is_ok(), "the trial must not confine this process: {later:?}");
    }
}
