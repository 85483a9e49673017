//! ttrpc, asynchronous on both sides; one-way messages are those of a client stream.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use bytes::Bytes;
use driver::{Contender, Counts, HANDLED, Message, Ready, Result, Runtime, Stop, Variant};
use ttrpc::asynchronous::{Client, Server, ServerStreamReceiver, TtrpcContext};
use ttrpc::context::Context;

use generated::bench::{Body, Count, Nothing, Small};
use generated::bench_ttrpc::{self, BenchClient};

#[allow(warnings)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/mod.rs"));
}

impl driver::Small for Small {
    fn new(id: u64) -> Self {
        let Message { id, name, values } = Message::new(id);
        Self { id, name, values: values.into(), ..Self::default() }
    }

    fn id(&self) -> u64 {
        self.id
    }
}

struct Handlers;

#[async_trait]
impl bench_ttrpc::Bench for Handlers {
    async fn call(&self, _: &TtrpcContext, message: Small) -> ttrpc::Result<Small> {
        Ok(message)
    }

    async fn echo(&self, _: &TtrpcContext, body: Body) -> ttrpc::Result<Body> {
        Ok(body)
    }

    async fn one_way(
        &self,
        _: &TtrpcContext,
        mut messages: ServerStreamReceiver<Small>,
    ) -> ttrpc::Result<Nothing> {
        while let Some(message) = messages.recv().await? {
            std::hint::black_box(message);
            HANDLED.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Nothing::default())
    }

    async fn handled(&self, _: &TtrpcContext, _: Nothing) -> ttrpc::Result<Count> {
        Ok(Count { messages: HANDLED.load(Ordering::Relaxed), ..Count::default() })
    }
}

#[derive(Clone)]
struct Ttrpc(BenchClient);

impl Contender for Ttrpc {
    type Message = Small;

    async fn serve(place: &Path, ready: Ready) -> Result<()> {
        let mut server = Server::new()
            .bind(&address(place))?
            .register_service(bench_ttrpc::create_bench(Arc::new(Handlers)));
        server.start().await?;
        ready.listening()?;
        std::future::pending().await
    }

    async fn connect(place: &Path) -> Result<Self> {
        Ok(Self(BenchClient::new(Client::connect(&address(place)).await?)))
    }

    async fn call(&mut self, message: Small) -> Result<Small> {
        Ok(self.0.call(Context::default(), &message).await?)
    }

    async fn pump(&mut self, in_flight: usize, stop: &Stop) -> Result<Counts> {
        driver::by_tasks(self, in_flight, stop).await
    }

    async fn echo(&mut self, body: Bytes) -> Result<usize> {
        let body = Body { bytes: body.into(), ..Body::default() };
        Ok(self.0.echo(Context::default(), &body).await?.bytes.len())
    }

    async fn notify(&mut self, stop: &Stop) -> Result<u64> {
        let message: Small = driver::Small::new(1);
        let mut messages = self.0.one_way(Context::default()).await?;
        let mut sent = 0;
        while !stop.is_over() {
            messages.send(&message).await?;
            sent += 1;
        }
        messages.close_and_recv().await?;
        Ok(sent)
    }

    async fn handled(&mut self) -> Result<u64> {
        Ok(self.0.handled(Context::default(), &Nothing::default()).await?.messages)
    }
}

fn address(place: &Path) -> String {
    format!("unix://{}", place.display())
}

fn main() -> ExitCode {
    let variants = [
        Variant::of::<Ttrpc>("ttrpc ct", Runtime::CurrentThread),
        Variant::of::<Ttrpc>("ttrpc mt", Runtime::MultiThread),
    ];
    driver::main(
        &variants
            .map(|variant| variant.crates(&["ttrpc", "protobuf"]).note("w5 is a client stream")),
    )
}
