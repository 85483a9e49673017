//! tarpc, over its Unix transport with bincode.

use std::path::Path;
use std::process::ExitCode;

use bytes::Bytes;
use driver::{Contender, Counts, Message, Ready, Result, Runtime, Stop, Variant, Workload};
use futures::StreamExt;
use tarpc::context::{self, Context};
use tarpc::serde_transport::unix;
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::Bincode;

#[tarpc::service]
trait Bench {
    async fn small(message: Message) -> Message;
    async fn body(body: Bytes) -> Bytes;
}

#[derive(Clone)]
struct Handlers;

impl Bench for Handlers {
    async fn small(self, _: Context, message: Message) -> Message {
        message
    }

    async fn body(self, _: Context, body: Bytes) -> Bytes {
        body
    }
}

#[derive(Clone)]
struct Tarpc(BenchClient);

impl Contender for Tarpc {
    type Message = Message;

    /// It has no one-way messages.
    const WORKLOADS: &[Workload] = &[
        Workload::Latency,
        Workload::Pipelined,
        Workload::Connections,
        Workload::Body64K,
        Workload::Body1M,
        Workload::Idle,
        Workload::Connect,
    ];

    async fn serve(place: &Path, ready: Ready) -> Result<()> {
        let mut connections = unix::listen(place, Bincode::default).await?;
        ready.listening()?;
        while let Some(connection) = connections.next().await {
            let channel = BaseChannel::with_defaults(connection?);
            // On the task of the connection: a task for each call, as in its examples, takes a tenth
            // longer, and on the multi-thread runtime twice as long.
            tokio::spawn(channel.execute(Handlers.serve()).for_each_concurrent(None, |call| call));
        }
        Ok(())
    }

    async fn connect(place: &Path) -> Result<Self> {
        let transport = unix::connect(place, Bincode::default).await?;
        Ok(Self(BenchClient::new(tarpc::client::Config::default(), transport).spawn()))
    }

    async fn call(&mut self, message: Message) -> Result<Message> {
        Ok(self.0.small(context::current(), message).await?)
    }

    async fn pump(&mut self, in_flight: usize, stop: &Stop) -> Result<Counts> {
        driver::by_tasks(self, in_flight, stop).await
    }

    async fn echo(&mut self, body: Bytes) -> Result<usize> {
        Ok(self.0.body(context::current(), body).await?.len())
    }
}

fn main() -> ExitCode {
    let variants = [
        Variant::of::<Tarpc>("tarpc ct", Runtime::CurrentThread),
        Variant::of::<Tarpc>("tarpc mt", Runtime::MultiThread),
    ];
    driver::main(&variants.map(|variant| variant.crates(&["tarpc"])))
}
