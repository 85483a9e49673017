//! What two programs built at different times still share.

use dip::Protocol;
use serde::{Deserialize, Serialize};

/// Has not changed.
#[derive(Debug, Serialize, Deserialize, Protocol)]
#[mtype("versions.kept")]
#[protocol(reply = u64)]
pub struct Kept(pub u64);

/// Asks a server to call its client with the message that has changed; the reply is the `Debug` of
/// the outcome.
#[derive(Debug, Serialize, Deserialize, Protocol)]
#[mtype("versions.call_back")]
#[protocol(reply = String)]
pub struct CallBack;
