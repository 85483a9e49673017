//! How soon it is known that a process has died.

use std::fmt;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// One death, in times since `kill` returned.
///
/// By then the process lives on until the system gives it the time to die, and whoever watches learns
/// of it when the system gives it time, too. On a machine with much else to do both may take long, and
/// neither is dip's doing. So the same death is watched a second time, in the same runtime: by the end of
/// a bare pipe, that of the standard output, which the system closes together with the socket. What
/// dip needs beyond that is its own.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Death {
    /// Known by dip.
    pub known: Duration,
    /// Known by the end of a pipe.
    pub bare: Duration,
}

impl Death {
    /// A death after `killed`, which dip and a pipe have told of.
    pub fn since(killed: Instant, known: Instant, bare: Instant) -> Self {
        let [known, bare] = [known, bare].map(|at| at.saturating_duration_since(killed));
        Self { known, bare }
    }

    /// How much longer dip took than a pipe.
    pub fn own(&self) -> Duration {
        self.known.saturating_sub(self.bare)
    }
}

/// Times in ascending order.
#[derive(Debug)]
pub struct Times(Vec<Duration>);

impl Times {
    /// What dip needed in all.
    pub fn known(deaths: &[Death]) -> Self {
        Self::of(deaths.iter().map(|death| death.known))
    }

    /// What was dip's own of that.
    pub fn own(deaths: &[Death]) -> Self {
        Self::of(deaths.iter().map(Death::own))
    }

    fn of(times: impl Iterator<Item = Duration>) -> Self {
        let mut times: Vec<_> = times.collect();
        times.sort_unstable();
        Self(times)
    }

    /// So many of a hundred took no longer.
    ///
    /// # Panics
    ///
    /// When there are no times.
    pub fn percent(&self, percent: usize) -> Duration {
        self.0[(self.0.len() - 1) * percent / 100]
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [least, median, most] = [0, 50, 100].map(|percent| self.percent(percent));
        write!(f, "{least:?} at least, median {median:?}, {most:?} at most")
    }
}
