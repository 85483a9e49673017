//! The client without a runtime.

use std::path::Path;

use bytes::Bytes;
use driver::{Contender, Message, Ready, Result, Small as _, Stop, Workload};

use crate::messages::{self, Body, Handled, OneWay, Small};

pub(crate) struct Blocking(dip::blocking::Client);

impl Contender for Blocking {
    type Message = Small;

    /// It has one call in flight.
    const WORKLOADS: &[Workload] = &[
        Workload::Latency,
        Workload::Body64K,
        Workload::Body1M,
        Workload::OneWay,
        Workload::Idle,
        Workload::Connect,
    ];

    async fn serve(place: &Path, ready: Ready) -> Result<()> {
        messages::serve(place, ready).await
    }

    async fn connect(place: &Path) -> Result<Self> {
        Ok(Self(dip::blocking::Client::connect(place)?))
    }

    async fn call(&mut self, message: Small) -> Result<Small> {
        Ok(self.0.call(&message)?)
    }

    async fn echo(&mut self, body: Bytes) -> Result<usize> {
        Ok(self.0.call(&Body(body))?.0.len())
    }

    async fn notify(&mut self, stop: &Stop) -> Result<u64> {
        let message = OneWay(Message::new(1));
        let mut sent = 0;
        while !stop.is_over() {
            self.0.notify(&message)?;
            sent += 1;
        }
        Ok(sent)
    }

    async fn handled(&mut self) -> Result<u64> {
        self.0.flush()?;
        Ok(self.0.call(&Handled)?)
    }
}
