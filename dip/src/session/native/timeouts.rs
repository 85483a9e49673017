//! Deadlines: of our operations, and of their calls.

use std::time::Instant;

use super::Session;
use super::operations::Claim;

impl Session {
    /// When to say [`timed_out`](Self::timed_out): no deadline is over before.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.soonest
    }

    /// Ends what is late by now.
    pub(crate) fn timed_out(&mut self, now: Instant) {
        self.at(now);
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
