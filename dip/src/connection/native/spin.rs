//! Looking for bytes instead of being woken for them.

use std::time::{Duration, Instant};

/// How long a connection looks for bytes itself before it lets the runtime wait for them: to wake a
/// core that has halted takes longer than most handlers.
#[derive(Debug)]
pub(super) struct Spin {
    time: Duration,
    /// There has been nothing to do since.
    since: Option<Instant>,
    on: bool,
}

/// What a connection does that has nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Idle {
    /// It looks again, once others of its thread have run.
    Spins,
    /// It has to ask the runtime to wake it before it can sleep.
    Settles,
    Sleeps,
}

impl Spin {
    pub(super) fn new(time: Duration) -> Self {
        Self { time, since: None, on: false }
    }

    /// Whether the socket is asked without waiting for the runtime to say that there is something.
    pub(super) fn is_on(&self) -> bool {
        self.on
    }

    /// Whether a connection sleeps as soon as there is nothing to do.
    pub(super) fn is_off(&self) -> bool {
        self.time.is_zero()
    }

    /// There was something to do.
    pub(super) fn busy(&mut self) {
        self.since = None;
    }

    /// There is nothing to do.
    pub(super) fn idle(&mut self) -> Idle {
        if self.is_off() {
            return Idle::Sleeps;
        }
        let now = Instant::now();
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) < self.time {
            self.on = true;
            return Idle::Spins;
        }
        if std::mem::take(&mut self.on) { Idle::Settles } else { Idle::Sleeps }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_time_a_connection_sleeps_at_once() {
        let mut spin = Spin::new(Duration::ZERO);
        assert_eq!(spin.idle(), Idle::Sleeps);
        assert!(!spin.is_on());
    }

    #[test]
    fn a_connection_spins_for_its_time_after_it_was_last_busy() {
        let mut spin = Spin::new(Duration::from_secs(3600));
        assert_eq!([spin.idle(), spin.idle()], [Idle::Spins; 2]);
        assert!(spin.is_on());
        spin.since = spin.since.and_then(|since| since.checked_sub(Duration::from_secs(3600)));
        if spin.since.is_none() {
            return;
        }
        assert_eq!([spin.idle(), spin.idle()], [Idle::Settles, Idle::Sleeps]);
        assert!(!spin.is_on());
        spin.busy();
        assert_eq!(spin.idle(), Idle::Spins);
    }
}
