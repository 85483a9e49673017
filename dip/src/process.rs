//! Whether this is still the process that something was made in.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// For how long the kernel's word is believed, as a power of two in nanoseconds: asking costs as much
/// as a small message.
const BELIEVED: u32 = 17;

/// The process that something was made in. A child that is forked off has a copy of it, but nobody
/// who drives its connections.
#[derive(Debug)]
pub(crate) struct Process {
    id: u32,
    since: Instant,
    /// When the kernel was last asked, in units of [`BELIEVED`] since then.
    asked: AtomicU64,
}

impl Process {
    /// This process.
    pub(crate) fn current() -> Self {
        Self { id: std::process::id(), since: Instant::now(), asked: AtomicU64::new(u64::MAX) }
    }

    /// Whether this is a child of that process. A child may take itself for its parent for as long
    /// as the word of the kernel is believed.
    pub(crate) fn is_forked(&self, now: Instant) -> bool {
        let age = now.saturating_duration_since(self.since);
        let age = (age.as_secs() << (30 - BELIEVED)) + u64::from(age.subsec_nanos() >> BELIEVED);
        if self.asked.load(Relaxed) == age {
            return false;
        }
        let forked = self.id != std::process::id();
        if !forked {
            self.asked.store(age, Relaxed);
        }
        forked
    }

    /// The same, and never mistaken.
    pub(crate) fn is_surely_forked(&self) -> bool {
        self.id != std::process::id()
    }

    /// What a child would have.
    #[cfg(test)]
    pub(crate) fn in_a_child(&self) -> Self {
        Self { id: self.id + 1, since: self.since, asked: AtomicU64::new(u64::MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_knows_that_it_is_one() {
        let process = Process::current();
        assert!(!process.is_forked(Instant::now()) && !process.is_forked(Instant::now()));
        assert!(process.in_a_child().is_forked(Instant::now()));
    }
}
