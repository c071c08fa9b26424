//! Fuzz targets by name (`reliability.md` 3.3): one input out of a seed, and whether what must hold of it does.
//! The targets live where what they try lives; F4 is a simulation in which hardly a frame arrives as it was sent.
//! Owns no measuring: time, memory and panics are the program's that runs them (`rollcall-fuzz`).

use std::fmt;
use std::str::FromStr;

use rollcall_doc::fuzz::GateTargets;
use rollcall_rpc::fuzz::FrameTarget;

use crate::scenario::Scenario;
use crate::world::run;

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Frames and messages as they come off the wire.
    F1,
    /// The walker, and what it lets through to the library.
    F2,
    /// The whole gate, and the document afterwards.
    F3,
    /// Sessions between three stores.
    F4,
}

impl Target {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::F1, Self::F2, Self::F3, Self::F4];
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// There is no such target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is none of F1, F2, F3, F4")]
pub struct TargetUnknown(String);

impl FromStr for Target {
    type Err = TargetUnknown;

    fn from_str(text: &str) -> Result<Self, TargetUnknown> {
        let found = Self::ALL
            .into_iter()
            .find(|target| target.to_string().eq_ignore_ascii_case(text));
        found.ok_or_else(|| TargetUnknown(text.to_owned()))
    }
}

/// A target with what its inputs are made from.
pub enum Ready {
    /// F1.
    Frames(FrameTarget),
    /// F2.
    Walker(GateTargets),
    /// F3.
    Gate(GateTargets),
    /// F4.
    Sessions,
}

impl Ready {
    /// Makes what the inputs of a target are made from.
    pub fn new(target: Target) -> Self {
        match target {
            Target::F1 => Self::Frames(FrameTarget::new()),
            Target::F2 => Self::Walker(GateTargets::new()),
            Target::F3 => Self::Gate(GateTargets::new()),
            Target::F4 => Self::Sessions,
        }
    }

    /// One input. Gives whether it was taken for good, or for F4 whether anything of it was kept apart.
    ///
    /// # Errors
    /// What must not be.
    pub fn run(&self, seed: u64) -> Result<bool, String> {
        match self {
            Self::Frames(target) => target.decode(seed),
            Self::Walker(target) => target.walk(seed),
            Self::Gate(target) => target.admit(seed).map(|accepted| accepted > 0),
            Self::Sessions => {
                let run = run(&Scenario::hostile(seed), false);
                match run.failure {
                    Some(failure) => Err(failure.to_string()),
                    None => Ok(run.counts.contains_key("poisoned")),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_called_by_their_names() {
        for target in Target::ALL {
            assert_eq!(target.to_string().to_lowercase().parse(), Ok(target));
        }
        assert!("F5".parse::<Target>().is_err());
    }
}
