//! Whether this is still the process that something was made in.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// For how long the kernel's word is believed: asking costs as much as a small message.
const BELIEVED: Duration = Duration::from_micros(128);

thread_local! {
    /// Which process this is, as the kernel said, and until when that is believed.
    static ASKED: Cell<Option<(u32, Instant)>> = const { Cell::new(None) };
}

/// The process that something was made in. A child that is forked off has a copy of it, but nobody
/// who drives its connections.
#[derive(Debug)]
pub(crate) struct Process {
    id: u32,
}

impl Process {
    /// This process.
    pub(crate) fn current() -> Self {
        Self { id: std::process::id() }
    }

    /// Whether this is a child of that process. A child may take itself for its parent for as long
    /// as the word of the kernel is believed.
    #[inline]
    pub(crate) fn is_forked(&self, now: Instant) -> bool {
        match ASKED.get() {
            Some((id, until)) if now < until => self.id != id,
            _ => self.is_forked_now(now),
        }
    }

    fn is_forked_now(&self, now: Instant) -> bool {
        let id = std::process::id();
        ASKED.set(Some((id, now + BELIEVED)));
        self.id != id
    }

    /// The same, and never mistaken.
    pub(crate) fn is_surely_forked(&self) -> bool {
        self.id != std::process::id()
    }

    /// What a child would have.
    #[cfg(test)]
    pub(crate) fn in_a_child(&self) -> Self {
        Self { id: self.id + 1 }
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
