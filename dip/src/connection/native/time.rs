//! What takes too long on a connection.

use std::time::{Duration, Instant};

use super::Connection;
use crate::limits::{self, Limits};
use crate::link::{Ending, State};
use crate::service::CloseReason;
use crate::session::native::Overdue;

/// A frame may be slow for so long.
const PATIENCE: Duration = Duration::from_secs(5);

/// How fast the frame that is being received comes in.
#[derive(Default)]
pub(super) struct Pace {
    /// When its first bytes were there.
    since: Option<Instant>,
    bytes: usize,
}

impl Pace {
    pub(super) fn received(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// All whole frames were handled; `moved` when there were any.
    pub(super) fn looked(&mut self, mid_frame: bool, moved: bool) {
        if !mid_frame {
            self.since = None;
        } else if moved || self.since.is_none() {
            *self = Self { since: Some(Instant::now()), bytes: 0 };
        }
    }

    fn due(&self, limits: &Limits) -> Option<Instant> {
        let since = self.since?;
        let next = (since + PATIENCE).max(Instant::now() + Duration::from_secs(1));
        Some(next.min(limits::end(since, limits.frame)))
    }

    fn overdue(&self, limits: &Limits, now: Instant) -> Option<CloseReason> {
        let took = now.saturating_duration_since(self.since?);
        if took >= limits.frame {
            return Some(CloseReason::FrameTimeout);
        }
        let wanted = (took.as_secs() as usize).saturating_mul(limits.progress.0);
        (took >= PATIENCE && self.bytes < wanted).then_some(CloseReason::TooSlow)
    }
}

impl Connection {
    /// When something has to be looked at, if nothing happens until then.
    pub(super) fn next_due(&self, state: &State) -> Option<Instant> {
        let mut due = state.session.next_timeout();
        let mut by = |then: Option<Instant>| {
            if let Some(then) = then {
                due = Some(due.map_or(then, |due| due.min(then)));
            }
        };
        let limits = self.serving.service.limits();
        by(self.stalled.or(self.unwritable).map(|since| limits::end(since, limits.write)));
        if let Some(Ending::Writing(until)) = state.ending() {
            by(Some(until));
        }
        by(self.input.unfinished_since().map(|since| limits::end(since, limits.frame)));
        by(self.pace.due(limits));
        due
    }

    pub(super) fn check_time(&mut self) {
        let now = Instant::now();
        let limits = self.serving.service.limits();
        let over = |since| now >= limits::end(since, limits.write);
        let (slow, deaf) = (self.stalled.is_some_and(over), self.unwritable.is_some_and(over));
        let body = self.input.unfinished_since();
        let stuck = body.is_some_and(|since| now >= limits::end(since, limits.frame));
        let late = self.pace.overdue(limits, now).or(stuck.then_some(CloseReason::FrameTimeout));
        let mut state = self.serving.link.lock();
        if std::mem::take(&mut self.heard) {
            state.session.heard();
        }
        let overdue = state.session.timed_out(now);
        drop(state);
        if slow || overdue == Some(Overdue::Credit) {
            self.close(CloseReason::SlowConsumer);
        }
        if overdue == Some(Overdue::Silence) {
            self.close(CloseReason::Silent);
        }
        if deaf {
            self.close(CloseReason::Lost);
        }
        if let Some(reason) = late {
            self.close(reason);
        }
    }
}
