//! When the bytes of a stream arrived.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Reads closer to each other than this count as one.
const GRAIN: Duration = Duration::from_millis(10);

/// When each stretch of a stream arrived, by its offset.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    stretches: VecDeque<Stretch>,
    /// Nobody has looked for a while: what is read now may have arrived at any time since.
    blind: bool,
}

/// Bytes that were read at about one time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch {
    start: u64,
    /// When they were read.
    pub(crate) at: Instant,
    /// Whether they arrived then.
    pub(crate) is_sure: bool,
}

impl Arrivals {
    /// Bytes from `start` on were read.
    pub(crate) fn push(&mut self, start: u64, at: Instant) {
        let is_sure = !self.blind;
        let same = self.stretches.back().is_some_and(|last| {
            last.is_sure == is_sure && at.saturating_duration_since(last.at) < GRAIN
        });
        if !same {
            self.stretches.push_back(Stretch { start, at, is_sure });
        }
    }

    /// Nobody has looked for so long that reading does not tell when bytes arrived.
    pub(crate) fn lost_sight(&mut self) {
        self.blind = true;
    }

    /// There was nothing more to read: what comes later arrives later.
    pub(crate) fn drained(&mut self) {
        self.blind = false;
    }

    /// What is known of the byte at `offset`, unless it was forgotten.
    pub(crate) fn of(&self, offset: u64) -> Option<Stretch> {
        let behind = self.stretches.partition_point(|stretch| stretch.start <= offset);
        self.stretches.get(behind.checked_sub(1)?).copied()
    }

    /// Only bytes from `offset` on will be asked for.
    pub(crate) fn forget(&mut self, offset: u64) {
        while self.stretches.get(1).is_some_and(|stretch| stretch.start <= offset) {
            self.stretches.pop_front();
        }
    }
}
