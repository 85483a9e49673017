//! Where the two processes run.

use std::str::FromStr;

use driver::{Error, Result};
use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Placement {
    /// Both on one core: the length of the path.
    Same,
    /// Each on a core of its own.
    Two,
    /// Wherever the scheduler puts them.
    Free,
}

impl Placement {
    pub(crate) const ALL: &[Self] = &[Self::Same, Self::Two, Self::Free];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Same => "same core",
            Self::Two => "two cores",
            Self::Free => "free",
        }
    }
}

impl FromStr for Placement {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "same" => Ok(Self::Same),
            "two" => Ok(Self::Two),
            "free" => Ok(Self::Free),
            _ => Err(format!("no placement is called {name}").into()),
        }
    }
}

/// Cores to pin to: the last ones that this process may use, for the first has the most to do for
/// the system.
pub(crate) struct Cores(Vec<usize>);

impl Cores {
    pub(crate) fn allowed() -> Result<Self> {
        let allowed = sched_getaffinity(Pid::from_raw(0))?;
        let mut cores = Vec::new();
        for core in 0..CpuSet::count() {
            if allowed.is_set(core)? {
                cores.push(core);
            }
        }
        Ok(Self(cores))
    }

    /// The cores of server and client; `None` where there are not enough.
    pub(crate) fn of(&self, placement: Placement) -> Option<[Option<usize>; 2]> {
        match (placement, &*self.0) {
            (Placement::Free, _) => Some([None, None]),
            (Placement::Same, [.., last]) => Some([Some(*last), Some(*last)]),
            (Placement::Two, [.., one, last]) => Some([Some(*last), Some(*one)]),
            _ => None,
        }
    }
}
