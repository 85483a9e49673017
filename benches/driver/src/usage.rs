//! What a process has taken so far.

use std::ops::Sub;

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use serde::{Deserialize, Serialize};

use crate::contender::Result;

/// Of the whole process, all threads, since its start.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Microseconds in the program.
    pub user: i64,
    /// Microseconds in the kernel.
    pub system: i64,
    /// Switches to another task because this one waited.
    pub waits: i64,
    /// Switches to another task because it was its turn.
    pub preemptions: i64,
    /// Bytes of memory that are resident; 0 where that is not known.
    pub resident: i64,
}

impl Usage {
    /// Up to now.
    ///
    /// # Errors
    ///
    /// When the system does not tell.
    pub fn now() -> Result<Self> {
        let usage = getrusage(UsageWho::RUSAGE_SELF)?;
        let micros = |time: nix::sys::time::TimeVal| time.tv_sec() * 1_000_000 + time.tv_usec();
        Ok(Self {
            user: micros(usage.user_time()),
            system: micros(usage.system_time()),
            waits: usage.voluntary_context_switches(),
            preemptions: usage.involuntary_context_switches(),
            resident: resident().unwrap_or(0),
        })
    }

    /// Microseconds in the program and in the kernel.
    pub fn cpu(&self) -> i64 {
        self.user + self.system
    }
}

impl Sub for Usage {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            user: self.user - earlier.user,
            system: self.system - earlier.system,
            waits: self.waits - earlier.waits,
            preemptions: self.preemptions - earlier.preemptions,
            resident: self.resident - earlier.resident,
        }
    }
}

fn resident() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Lets the process open as many files as it may.
pub(crate) fn allow_many_files() -> Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, most, most)?)
}
