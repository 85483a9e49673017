//! What ends by the clock: our operations, their calls, and a connection whose peer does not do its
//! part.

use std::time::{Duration, Instant};

use super::Session;
use super::keepalive::{Keepalive, Silence};
use super::operations::Claim;
use crate::limits;

/// How long this side waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// For the handler of a call of theirs.
    pub(crate) cap: Duration,
    /// For credit that the peer owes a reply.
    pub(crate) credit: Duration,
    /// For a word of a silent peer, until it is asked for one. `None`: the system tells when it is gone.
    pub(crate) ping: Option<Duration>,
}

/// Why a connection is to end by the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// The peer has taken everything, and given no credit for the reply that waits.
    Credit,
    /// The peer does not answer, nor says anything else.
    Silence,
}

impl Session {
    /// When to say [`timed_out`](Self::timed_out): nothing is late before.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let ping = self.keepalive.as_ref().map(Keepalive::due);
        [self.soonest, self.credit_due(), ping].into_iter().flatten().min()
    }

    /// Bytes came since the last [`timed_out`](Self::timed_out).
    pub(crate) fn heard(&mut self) {
        if let Some(keepalive) = &mut self.keepalive {
            keepalive.heard();
        }
    }

    /// Ends what is late by now. Tells why the connection is to end, if so.
    pub(crate) fn timed_out(&mut self, now: Instant) -> Option<Overdue> {
        self.at(now);
        self.end_late();
        let now = self.now;
        match self.keepalive.as_mut().and_then(|keepalive| keepalive.look(now)) {
            Some(Silence::Gone) => return Some(Overdue::Silence),
            Some(Silence::Ask) => self.ask_for_a_word(),
            None => {}
        }
        self.credit_due().filter(|due| *due <= self.now).map(|_| Overdue::Credit)
    }

    fn credit_due(&self) -> Option<Instant> {
        let since = self.bodies.reply_owed_since()?;
        Some(limits::end(since, self.times.credit))
    }

    fn end_late(&mut self) {
        if self.lost || self.soonest.is_none_or(|soonest| soonest > self.now) {
            return;
        }
        // What has ended since is still counted in: so a call costs no search, and a search comes
        // at most once in the shortest deadline that there was.
        self.soonest = None;
        let mut late = Vec::new();
        let mut next = None;
        for (ticket, operation) in self.operations.iter() {
            let Some(deadline) = operation.deadline else { continue };
            if !matches!(operation.claim, Claim::Waiting) {
                continue;
            }
            if deadline <= self.now {
                late.push(ticket);
            } else {
                next = next.into_iter().chain([deadline]).min();
            }
        }
        self.watch(next);
        for ticket in late {
            self.late(ticket);
        }
        self.stop_overdue();
        self.start_queued();
    }
}
