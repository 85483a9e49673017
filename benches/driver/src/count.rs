//! What is counted, on either side.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use hdrhistogram::Histogram;

/// In the server: one-way messages handled so far.
pub static HANDLED: AtomicU64 = AtomicU64::new(0);

/// One call in so many has its time taken where many are in flight.
pub(crate) const SAMPLED: usize = 16;

/// Calls that came back, and how long those took whose time was taken.
#[derive(Debug, Default)]
pub struct Counts {
    /// How many came back.
    pub calls: u64,
    /// Nanoseconds.
    times: Vec<u32>,
}

impl Counts {
    /// So many calls, nobody knows how long.
    pub fn of(calls: u64) -> Self {
        Self { calls, times: Vec::new() }
    }

    /// One call that took `time`.
    pub fn timed(&mut self, time: Duration) {
        self.calls += 1;
        self.times.push(u32::try_from(time.as_nanos()).unwrap_or(u32::MAX));
    }

    /// Those of another connection as well.
    pub fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.times.extend(other.times);
    }

    /// The times below which these shares of the calls were, in microseconds; `None` when no time
    /// was taken.
    pub(crate) fn quantiles<const N: usize>(&self, shares: [f64; N]) -> Option<[f64; N]> {
        if self.times.is_empty() {
            return None;
        }
        // Three digits, as far as `u32` reaches: it cannot be too narrow.
        let mut histogram = Histogram::<u32>::new_with_bounds(1, u64::from(u32::MAX), 3).ok()?;
        for time in &self.times {
            histogram.saturating_record(u64::from(*time));
        }
        Some(shares.map(|share| histogram.value_at_quantile(share) as f64 / 1000.0))
    }
}
