//! The client of the native wire.

use std::path::Path;

use bytes::Bytes;
use dip::{CallError, Reason};
use driver::{Contender, Counts, Message, Ready, Result, Small as _, Stop};

use crate::messages::{self, Body, Handled, OneWay, Small};

#[derive(Clone)]
pub(crate) struct Asynchronous(dip::Client);

impl Contender for Asynchronous {
    type Message = Small;

    async fn serve(place: &Path, ready: Ready) -> Result<()> {
        messages::serve(place, ready).await
    }

    async fn connect(place: &Path) -> Result<Self> {
        Ok(Self(dip::Client::connect(place).await?))
    }

    async fn call(&mut self, message: Small) -> Result<Small> {
        Ok(self.0.call(&message).await?)
    }

    async fn pump(&mut self, in_flight: usize, stop: &Stop) -> Result<Counts> {
        driver::by_tasks(self, in_flight, stop).await
    }

    async fn echo(&mut self, body: Bytes) -> Result<usize> {
        Ok(self.0.call(&Body(body)).await?.0.len())
    }

    async fn notify(&mut self, stop: &Stop) -> Result<u64> {
        let message = OneWay(Message::new(1));
        let mut sent = 0;
        while !stop.is_over() {
            match self.0.try_notify(&message) {
                // It waits until the server takes more.
                Err(CallError::NotSent(Reason::SlowPeer)) => self.0.notify(&message).await?,
                sent => sent?,
            }
            sent += 1;
        }
        Ok(sent)
    }

    async fn handled(&mut self) -> Result<u64> {
        self.0.flush().await?;
        Ok(self.0.call(&Handled).await?)
    }
}
