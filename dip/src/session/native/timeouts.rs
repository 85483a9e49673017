//! What ends by the clock: our operations, their calls, and a connection whose peer does not do its
//! part.

use std::time::{Duration, Instant};

use super::Session;
use super::operations::Claim;
use crate::limits;

/// How long this side waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// For the handler of a call of theirs.
    pub(crate) cap: Duration,
    /// For credit that the peer owes a reply.
    pub(crate) credit: Duration,
}

/// Why a connection is to end by the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// The peer has taken everything, and given no credit for the reply that waits.
    Credit,
}

impl Session {
    /// When to say [`timed_out`](Self::timed_out): nothing is late before.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.soonest.into_iter().chain(self.credit_due()).min()
    }

    /// Ends what is late by now. Tells why the connection is to end, if so.
    pub(crate) fn timed_out(&mut self, now: Instant) -> Option<Overdue> {
        self.at(now);
        self.end_late();
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
