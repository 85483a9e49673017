//! The messages of the keeper.

use dip::Protocol;
use serde::{Deserialize, Serialize};

/// Is never answered: its handler holds on to it until it is stopped.
#[derive(Debug, Serialize, Deserialize, Protocol)]
#[mtype("keeper.hold")]
#[protocol(deadline = "30s")]
pub struct Hold;

/// How many calls of [`Hold`] have a handler now.
#[derive(Debug, Serialize, Deserialize, Protocol)]
#[mtype("keeper.held")]
#[protocol(reply = u64)]
pub struct Held;
