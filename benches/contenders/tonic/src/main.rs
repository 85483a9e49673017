//! tonic over a Unix socket; one-way messages are those of a client stream. A body is one frame: in
//! many, as they are by default, it takes twice as long.

use std::iter;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use driver::{Contender, Counts, HANDLED, Message, Ready, Result, Runtime, Stop, Variant};
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

use generated::bench_client::BenchClient;
use generated::bench_server::{Bench, BenchServer};
use generated::{Body, Count, Nothing, Small};

#[allow(warnings)]
mod generated {
    tonic::include_proto!("bench");
}

impl driver::Small for Small {
    fn new(id: u64) -> Self {
        let Message { id, name, values } = Message::new(id);
        Self { id, name, values: values.into() }
    }

    fn id(&self) -> u64 {
        self.id
    }
}

/// The longest frame.
const FRAME: u32 = 1 << 20;

struct Handlers;

#[tonic::async_trait]
impl Bench for Handlers {
    async fn call(&self, request: Request<Small>) -> Result<Response<Small>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn echo(&self, request: Request<Body>) -> Result<Response<Body>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn one_way(
        &self,
        request: Request<Streaming<Small>>,
    ) -> Result<Response<Nothing>, Status> {
        let mut messages = request.into_inner();
        while let Some(message) = messages.message().await? {
            std::hint::black_box(message);
            HANDLED.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Response::new(Nothing {}))
    }

    async fn handled(&self, _: Request<Nothing>) -> Result<Response<Count>, Status> {
        Ok(Response::new(Count { messages: HANDLED.load(Ordering::Relaxed) }))
    }
}

#[derive(Clone)]
struct Tonic(BenchClient<Channel>);

impl Contender for Tonic {
    type Message = Small;

    async fn serve(place: &Path, ready: Ready) -> Result<()> {
        let listener = UnixListener::bind(place)?;
        ready.listening()?;
        let server =
            Server::builder().max_frame_size(FRAME).add_service(BenchServer::new(Handlers));
        Ok(server.serve_with_incoming(UnixListenerStream::new(listener)).await?)
    }

    async fn connect(place: &Path) -> Result<Self> {
        let endpoint =
            Endpoint::from_shared(format!("unix://{}", place.display()))?.max_frame_size(FRAME);
        Ok(Self(BenchClient::new(endpoint.connect().await?)))
    }

    async fn call(&mut self, message: Small) -> Result<Small> {
        Ok(self.0.call(message).await?.into_inner())
    }

    async fn pump(&mut self, in_flight: usize, stop: &Stop) -> Result<Counts> {
        driver::by_tasks(self, in_flight, stop).await
    }

    async fn echo(&mut self, bytes: Bytes) -> Result<usize> {
        Ok(self.0.echo(Body { bytes }).await?.into_inner().bytes.len())
    }

    async fn notify(&mut self, stop: &Stop) -> Result<u64> {
        let sent = Arc::new(AtomicU64::new(0));
        let (counter, stop) = (Arc::clone(&sent), stop.clone());
        let message: Small = driver::Small::new(1);
        let messages = iter::from_fn(move || {
            if stop.is_over() {
                return None;
            }
            counter.fetch_add(1, Ordering::Relaxed);
            Some(message.clone())
        });
        self.0.one_way(tokio_stream::iter(messages)).await?;
        Ok(sent.load(Ordering::Relaxed))
    }

    async fn handled(&mut self) -> Result<u64> {
        Ok(self.0.handled(Nothing {}).await?.into_inner().messages)
    }
}

fn main() -> ExitCode {
    let variants = [
        Variant::of::<Tonic>("tonic ct", Runtime::CurrentThread),
        Variant::of::<Tonic>("tonic mt", Runtime::MultiThread),
    ];
    driver::main(
        &variants.map(|variant| variant.crates(&["tonic", "prost"]).note("w5 is a client stream")),
    )
}
