//! `dip send`: send one message and wait for its acknowledgement.

use clap::Args;

use crate::Result;

/// Send one message to ADDRESS and wait; exits with 0 when it was acknowledged.
#[derive(Debug, Args)]
pub(super) struct Send {
    /// A path, unix:PATH or tcp:HOST:PORT
    address: String,
}

impl Send {
    pub(super) async fn run(self) -> Result<()> {
        Ok(())
    }
}
