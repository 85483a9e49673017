//! How far the handler of a message has come, as those see it who give it up.

use std::pin::pin;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};

use tokio::sync::Notify;

/// Whether the handler has begun, and whether somebody still waits for what it replies.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    stage: AtomicU8,
    given_up: AtomicU8,
    told: Notify,
}

/// Why nobody waits for a reply any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum GivenUp {
    /// Its caller has changed its mind.
    Caller = 1,
    Deadline = 2,
    /// The connection has ended, or the server has.
    Connection = 3,
}

const WAITING: u8 = 0;
const BEGUN: u8 = 1;
const WITHDRAWN: u8 = 2;

impl Progress {
    /// The handler is about to run; `false` if it is not to any more.
    pub(crate) fn begin(&self) -> bool {
        self.stage.compare_exchange(WAITING, BEGUN, AcqRel, Acquire) != Err(WITHDRAWN)
    }

    /// The same where nobody else knows of the handler, as of most: it need not be undivided.
    pub(crate) fn begin_alone(&self) -> bool {
        let goes_on = self.stage.load(Acquire) != WITHDRAWN;
        if goes_on {
            self.stage.store(BEGUN, Release);
        }
        goes_on
    }

    /// Keeps the handler from running; `false` if it has begun.
    pub(crate) fn withdraw(&self) -> bool {
        self.stage.compare_exchange(WAITING, WITHDRAWN, AcqRel, Acquire) != Err(BEGUN)
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.stage.load(Acquire) == BEGUN
    }

    /// Nobody waits for the reply any more.
    pub(crate) fn give_up(&self, why: GivenUp) {
        self.given_up.store(why as u8, Release);
        self.told.notify_waiters();
    }

    pub(crate) fn given_up(&self) -> Option<GivenUp> {
        match self.given_up.load(Acquire) {
            0 => None,
            1 => Some(GivenUp::Caller),
            2 => Some(GivenUp::Deadline),
            _ => Some(GivenUp::Connection),
        }
    }

    /// Waits until nobody waits any more.
    pub(crate) async fn told(&self) {
        let mut told = pin!(self.told.notified());
        told.as_mut().enable();
        if self.given_up().is_none() {
            told.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_that_was_withdrawn_does_not_begin() {
        let progress = Progress::default();
        assert!(progress.withdraw() && progress.withdraw());
        assert!(!progress.begin() && !progress.begin_alone() && !progress.has_begun());
    }

    #[test]
    fn a_handler_that_has_begun_is_not_withdrawn() {
        let progress = Progress::default();
        assert!(progress.begin() && progress.begin());
        assert!(!progress.withdraw() && progress.has_begun());
    }
}
