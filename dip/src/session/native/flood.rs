//! Frames that cost their sender nothing: how many a peer may send.

use std::time::{Duration, Instant};

use super::Violation;

/// What a peer may send in one [`PERIOD`] whatever else it sends.
const FREE: u32 = 100;

const PERIOD: Duration = Duration::from_secs(10);

/// One more for so many messages.
const MESSAGES: u32 = 10;

/// Counts the cheap frames of a peer.
#[derive(Debug)]
pub(super) struct Flood {
    since: Instant,
    cheap: u32,
    messages: u32,
    /// Calls of the peer less its CANCELs: one belongs to each call, also if it comes too late.
    uncancelled: u64,
    /// No message began or ended since the last PING: another one asks about nothing.
    pinged: bool,
}

impl Flood {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, cheap: 0, messages: 0, uncancelled: 0, pinged: true }
    }

    /// A call came.
    pub(super) fn request(&mut self) {
        self.uncancelled += 1;
        self.message();
    }

    /// A message came.
    pub(super) fn message(&mut self) {
        self.messages = self.messages.saturating_add(1);
        self.end_of_message();
    }

    /// The last frame of a message came.
    pub(super) fn end_of_message(&mut self) {
        self.pinged = false;
    }

    pub(super) fn cancel(&mut self, now: Instant) -> Result<(), Violation> {
        match self.uncancelled.checked_sub(1) {
            Some(left) => {
                self.uncancelled = left;
                Ok(())
            }
            None => self.cheap(now),
        }
    }

    pub(super) fn ping(&mut self, now: Instant) -> Result<(), Violation> {
        if std::mem::replace(&mut self.pinged, true) { self.cheap(now) } else { Ok(()) }
    }

    /// A frame that nothing pays for came.
    pub(super) fn cheap(&mut self, now: Instant) -> Result<(), Violation> {
        if now.saturating_duration_since(self.since) >= PERIOD {
            self.since = now;
            (self.cheap, self.messages) = (0, 0);
        }
        self.cheap += 1;
        if self.cheap > FREE + self.messages / MESSAGES { Err(Violation::Flood) } else { Ok(()) }
    }
}
