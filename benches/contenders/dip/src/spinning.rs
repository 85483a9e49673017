//! Connections that look for bytes before they sleep.

use std::path::Path;
use std::time::Duration;

use driver::{Contender, Ready, Result, Workload};

use crate::messages::{self, Small};

/// Longer than a call takes, however slow the machine is.
const SPIN: Duration = Duration::from_millis(1);

pub(crate) struct Spinning(dip::Client);

impl Contender for Spinning {
    type Message = Small;

    const WORKLOADS: &[Workload] = &[Workload::Latency];

    async fn serve(place: &Path, ready: Ready) -> Result<()> {
        messages::serve_spinning(place, ready, SPIN).await
    }

    async fn connect(place: &Path) -> Result<Self> {
        Ok(Self(dip::Client::builder(place).spin(SPIN).connect().await?))
    }

    async fn call(&mut self, message: Small) -> Result<Small> {
        Ok(self.0.call(&message).await?)
    }
}
