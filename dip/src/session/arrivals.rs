//! When the bytes of a stream arrived.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Reads closer to each other than this count as one.
const GRAIN: Duration = Duration::from_millis(10);

/// When each stretch of a stream arrived, by its offset.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    /// The offset at which each stretch begins, and when it came; never empty once bytes came.
    stretches: VecDeque<(u64, Instant)>,
    /// The last read filled its buffer: what is read next may have been there at the same time.
    full: bool,
}

impl Arrivals {
    /// Bytes from `offset` on were read. A read that fills its buffer leaves the rest for the next
    /// one, however long that one takes to come.
    pub(crate) fn push(&mut self, offset: u64, full: bool, now: Instant) {
        let last = self.stretches.back().map(|(_, at)| *at);
        let same = last.is_some_and(|at| self.full || now.saturating_duration_since(at) < GRAIN);
        if !same {
            self.stretches.push_back((offset, now));
        }
        self.full = full;
    }

    /// There was nothing more to read: what comes later arrives later.
    pub(crate) fn drained(&mut self) {
        self.full = false;
    }

    /// When the byte at `offset` arrived, unless that was forgotten.
    pub(crate) fn at(&self, offset: u64) -> Option<Instant> {
        let behind = self.stretches.partition_point(|(start, _)| *start <= offset);
        self.stretches.get(behind.checked_sub(1)?).map(|(_, at)| *at)
    }

    /// Only bytes from `offset` on will be asked for.
    pub(crate) fn forget(&mut self, offset: u64) {
        while self.stretches.get(1).is_some_and(|(start, _)| *start <= offset) {
            self.stretches.pop_front();
        }
    }
}
