//! The client of the classic wire.

use std::path::Path;

use dip::Wire;
use driver::{Contender, Counts, Ready, Result, Stop, Workload};

use crate::messages::{self, ClassicSmall};

#[derive(Clone)]
pub(crate) struct Classic(dip::Client);

impl Contender for Classic {
    type Message = ClassicSmall;

    const WORKLOADS: &[Workload] =
        &[Workload::Latency, Workload::Pipelined, Workload::Connections, Workload::Connect];

    async fn serve(place: &Path, ready: Ready) -> Result<()> {
        messages::serve(place, ready).await
    }

    async fn connect(place: &Path) -> Result<Self> {
        Ok(Self(dip::Client::builder(place).wire(Wire::Classic).connect().await?))
    }

    async fn call(&mut self, message: ClassicSmall) -> Result<ClassicSmall> {
        self.0.send(&message).await?;
        Ok(message)
    }

    /// A connection carries one message at a time: the client opens more of them.
    async fn pump(&mut self, in_flight: usize, stop: &Stop) -> Result<Counts> {
        driver::by_tasks(self, in_flight, stop).await
    }
}
