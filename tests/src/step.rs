//! The messages of the load test: each says which one it is.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A message of one worker. The one behind it is known, so that none can be lost, doubled or mixed up
/// unnoticed.
///
/// `python/load.py` makes the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Which worker.
    pub worker: u32,
    /// Which of its messages, counted from 1.
    pub number: u64,
    /// A text whose length changes.
    pub text: String,
    /// FNV-1a of this text and all before it.
    pub checksum: u64,
}

impl Step {
    /// The first message of a worker.
    pub fn first(worker: u32) -> Self {
        Self::new(worker, 1, 0xcbf2_9ce4_8422_2325)
    }

    /// The message behind this one.
    #[must_use]
    pub fn next(&self) -> Self {
        Self::new(self.worker, self.number + 1, self.checksum)
    }

    fn new(worker: u32, number: u64, before: u64) -> Self {
        let text = format!("{worker}/{number}{}", "é".repeat((number % 50) as usize));
        let add = |sum: u64, byte| (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        let checksum = text.bytes().fold(before, add);
        Self { worker, number, text, checksum }
    }
}

/// The connection id of a worker.
pub fn id_of(worker: u32) -> Uuid {
    Uuid::from_u128(worker.into())
}

/// What the master has seen when it ends.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// Messages that were the next ones of their workers.
    pub accepted: u64,
    /// What was wrong with the others.
    pub refused: Vec<String>,
    /// The last message of each worker.
    pub last: Vec<Step>,
}
