//! The message of those that leave.

use dip::Protocol;
use serde::{Deserialize, Serialize};

/// One of the last words of a process.
#[derive(Debug, Serialize, Deserialize, Protocol)]
#[mtype("leaver.parting")]
pub struct Parting {
    /// Which one, from 0.
    pub number: u64,
}
