//! The layers of isolation that this machine has, found once at start.
//!
//! Comes in: the kernel and the installed tools. Goes out: the list that is said at start, and a refusal when
//! the configuration requires one that is missing. It never degrades in silence.

use std::fmt;
use std::path::PathBuf;

use landlock::RulesetStatus;
use serde::{Deserialize, Serialize};

use super::cgroup::Cgroups;
use super::{bubblewrap, seccomp};
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
    /// The kernel refuses system calls that no task needs.
    Seccomp,
    /// Own namespaces by bubblewrap: the system read-only, the run's directories, and nothing else; no network.
    Bubblewrap,
    /// Memory, processes and processor time of all processes of a command together.
    Cgroup,
}

impl Layer {
    /// Every layer, from the outermost need to the strongest.
    pub const ALL: [Self; 7] = [
        Self::ProcessGroup,
        Self::Rlimits,
        Self::NoNewPrivileges,
        Self::Landlock,
        Self::Seccomp,
        Self::Bubblewrap,
        Self::Cgroup,
    ];
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ProcessGroup => "process-group",
            Self::Rlimits => "rlimits",
            Self::NoNewPrivileges => "no-new-privileges",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
            Self::Bubblewrap => "bubblewrap",
            Self::Cgroup => "cgroup",
        })
    }
}

/// The layers that tasks run in on this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layers {
    /// In the order of `Layer::ALL`.
    pub present: Vec<Layer>,
    /// The others, and why they are not there or what would help.
    pub absent: Vec<AbsentLayer>,
    /// The program of `Layer::Bubblewrap`.
    pub bubblewrap: Option<PathBuf>,
    /// Where the groups of `Layer::Cgroup` are made.
    pub cgroups: Option<Cgroups>,
}

/// A layer that this machine does not give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbsentLayer {
    /// Which.
    pub layer: Layer,
    /// Why, and what would help.
    pub why: String,
}

impl fmt::Display for AbsentLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.layer, self.why)
    }
}

/// Layers that the configuration requires and this machine does not give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingLayers(pub Vec<AbsentLayer>);

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
    /// `MissingLayers` names the ones that are not, and what would help.
    pub fn check(&self, require: &[Layer]) -> Result<(), MissingLayers> {
        let missing = require.iter().filter(|layer| !self.has(**layer)).map(|layer| {
            let known = self.absent.iter().find(|absent| absent.layer == *layer).cloned();
            known.unwrap_or_else(|| AbsentLayer { layer: *layer, why: "not looked for".to_owned() })
        });
        let missing: Vec<AbsentLayer> = missing.collect();
        if missing.is_empty() { Ok(()) } else { Err(MissingLayers(missing)) }
    }

    /// Whether this one is there.
    pub fn has(&self, layer: Layer) -> bool {
        self.present.contains(&layer)
    }

    /// The same without one layer, to see what the others hold.
    #[must_use]
    pub fn without(mut self, layer: Layer) -> Self {
        self.present.retain(|present| *present != layer);
        self.absent.push(AbsentLayer { layer, why: "left out".to_owned() });
        match layer {
            Layer::Bubblewrap => self.bubblewrap = None,
            Layer::Cgroup => self.cgroups = None,
            _ => {}
        }
        self
    }
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.present.iter().map(ToString::to_string).collect();
        f.write_str(&names.join(", "))
    }
}

/// Finds the layers of this machine by trying them; some milliseconds.
pub fn layers() -> Layers {
    let mut layers = Layers::default();
    for layer in Layer::ALL {
        match layers.find(layer) {
            Ok(()) => layers.present.push(layer),
            Err(why) => layers.absent.push(AbsentLayer { layer, why }),
        }
    }
    layers
}

impl Layers {
    fn find(&mut self, layer: Layer) -> Result<(), String> {
        match layer {
            Layer::ProcessGroup | Layer::Rlimits => Ok(()),
            Layer::NoNewPrivileges => {
                rustix::thread::no_new_privs().map(drop).map_err(|error| error.to_string())
            }
            Layer::Landlock => landlock_works(),
            // On a thread of its own, since filters cannot be taken off.
            Layer::Seccomp => std::thread::spawn(seccomp::load)
                .join()
                .unwrap_or_else(|_| Err("the trial was cut off".to_owned())),
            Layer::Bubblewrap => bubblewrap::find().map(|program| self.bubblewrap = Some(program)),
            Layer::Cgroup => Cgroups::find().map(|found| self.cgroups = Some(found)),
        }
    }
}

/// Tries it on a thread of its own, since there is no way out of a Landlock domain.
fn landlock_works() -> Result<(), String> {
    let tried = std::thread::spawn(|| landlock_domain(&[])).join();
    match tried {
        Ok(Ok(RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced)) => Ok(()),
        _ => {
            Err("this kernel does not enforce it; boot one that has `landlock` in its `lsm=` list".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_required_layer_that_is_missing_is_named_with_what_would_help() {
        let layers = Layers {
            present: vec![Layer::ProcessGroup, Layer::Rlimits],
            absent: vec![AbsentLayer { layer: Layer::Bubblewrap, why: "install bubblewrap".to_owned() }],
            ..Layers::default()
        };
        assert_eq!(layers.check(&[Layer::Rlimits]), Ok(()));
        let missing = layers.check(&[Layer::Rlimits, Layer::Landlock, Layer::Bubblewrap]).unwrap_err();
        assert_eq!(
            missing.0.iter().map(|m| m.layer).collect::<Vec<_>>(),
            [Layer::Landlock, Layer::Bubblewrap]
        );
        assert!(missing.to_string().contains("bubblewrap (install bubblewrap)"), "{missing}");
    }

    #[test]
    fn what_every_linux_has_is_found_and_every_layer_is_told() {
        let layers = layers();
        assert_eq!(layers.check(&[Layer::ProcessGroup, Layer::Rlimits, Layer::NoNewPrivileges]), Ok(()));
        assert_eq!(layers.present.len() + layers.absent.len(), Layer::ALL.len());
        assert_eq!(layers.has(Layer::Bubblewrap), layers.bubblewrap.is_some());
        let without = layers.without(Layer::Bubblewrap);
        assert!(!without.has(Layer::Bubblewrap) && without.bubblewrap.is_none());
        let later = std::fs::write(std::env::temp_dir().join("taskbot-layers-test"), b"");
        assert!(later.is_ok(), "the trial must not confine this process: {later:?}");
    }
}
