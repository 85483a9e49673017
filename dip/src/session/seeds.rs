//! Seeds of simulated runs: `DIP_SEEDS=100000` runs more of them, `DIP_SEED=17` runs one again.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A small generator (SplitMix64): its numbers follow from the seed on every machine.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A number from 0 to `end`, this included.
    pub(crate) fn up_to(&mut self, end: usize) -> usize {
        self.below(end as u64 + 1) as usize
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// The seeds to run; so many unless the environment says otherwise.
pub(crate) fn of(usual: u64) -> Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match number("DIP_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("DIP_SEEDS").unwrap_or(usual),
    }
}

/// Runs one seed; if that fails, says which it was.
pub(crate) fn run<T>(seed: u64, world: impl FnOnce() -> T) -> T {
    match catch_unwind(AssertUnwindSafe(world)) {
        Ok(value) => value,
        Err(_) => panic!("DIP_SEED={seed} runs this again"),
    }
}
