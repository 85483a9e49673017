//! Whether a handler keeps others of its connection waiting.

use std::ffi::c_long;
use std::time::{Duration, Instant};

use nix::sys::time::TimeValLike;

/// A handler that keeps its connection busy for longer than this, time and again, becomes a task.
pub(super) const SLOW: Duration = Duration::from_micros(100);

/// What a first poll costs, as it is measured while there is reason to suspect one.
pub(super) struct Effort {
    begun: Instant,
    before: Option<Usage>,
}

/// What a thread has used, as far as the system tells.
struct Usage {
    cpu: Duration,
    /// How often it has waited for something by its own doing.
    waits: c_long,
}

impl Effort {
    pub(super) fn begin() -> Self {
        Self { before: Usage::of_thread(), begun: Instant::now() }
    }

    /// Whether the handler was slow. That the system let others run on its core meanwhile does not
    /// count.
    pub(super) fn is_slow(&self) -> bool {
        if self.begun.elapsed() <= SLOW {
            return false;
        }
        let (Some(before), Some(after)) = (&self.before, Usage::of_thread()) else { return true };
        after.waits > before.waits || after.cpu.saturating_sub(before.cpu) > SLOW
    }
}

impl Usage {
    #[cfg(target_os = "linux")]
    fn of_thread() -> Option<Self> {
        use nix::sys::resource::{UsageWho, getrusage};

        let usage = getrusage(UsageWho::RUSAGE_THREAD).ok()?;
        let cpu = usage.user_time() + usage.system_time();
        let cpu = Duration::from_micros(u64::try_from(cpu.num_microseconds()).ok()?);
        Some(Self { cpu, waits: usage.voluntary_context_switches() })
    }

    #[cfg(not(target_os = "linux"))]
    fn of_thread() -> Option<Self> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_that_sleeps_is_slow() {
        let effort = Effort::begin();
        std::thread::sleep(Duration::from_millis(1));
        assert!(effort.is_slow());
    }

    #[test]
    fn a_handler_that_computes_is_slow() {
        let effort = Effort::begin();
        let begun = Usage::of_thread();
        let busy = || match (&begun, Usage::of_thread()) {
            (Some(begun), Some(now)) => now.cpu.saturating_sub(begun.cpu) < 3 * SLOW,
            _ => effort.begun.elapsed() < 3 * SLOW,
        };
        while busy() {}
        assert!(effort.is_slow());
    }

    #[test]
    fn one_whose_thread_others_have_kept_from_running_is_not() {
        let mut effort = Effort::begin();
        effort.begun = effort.begun.checked_sub(2 * SLOW).unwrap_or(effort.begun);
        assert_eq!(effort.is_slow(), !cfg!(target_os = "linux"));
    }
}
