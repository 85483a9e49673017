//! Pings that find out whether a peer is still there that has said nothing for long.

use std::time::{Duration, Instant};

use crate::limits;

/// More often, the pings themselves would be a flood.
const SHORTEST: Duration = Duration::from_millis(100);

/// So many times of silence behind a ping, and the peer is gone.
const MISSED: u32 = 2;

/// Looks at the end of each interval whether anything came in it: so a message costs nothing, and a
/// silence may be one interval longer.
#[derive(Debug)]
pub(super) struct Keepalive {
    every: Duration,
    due: Instant,
    heard: bool,
    /// Intervals without a word.
    silent: u32,
}

/// What follows from a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    Ask,
    Gone,
}

impl Keepalive {
    pub(super) fn new(every: Duration, now: Instant) -> Self {
        let every = every.max(SHORTEST);
        Self { every, due: limits::end(now, every), heard: false, silent: 0 }
    }

    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Something came.
    pub(super) fn heard(&mut self) {
        self.heard = true;
    }

    pub(super) fn look(&mut self, now: Instant) -> Option<Silence> {
        if now < self.due {
            return None;
        }
        self.due = limits::end(now, self.every);
        if std::mem::take(&mut self.heard) {
            self.silent = 0;
            return None;
        }
        self.silent += 1;
        Some(if self.silent > MISSED { Silence::Gone } else { Silence::Ask })
    }
}
