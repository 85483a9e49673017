//! zbus from peer to peer, without a bus, on tokio.

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use driver::{Contender, Counts, HANDLED, Message, Ready, Result, Runtime, Stop, Variant};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use tokio::net::{UnixListener, UnixStream};
use zbus::connection::Builder;
use zbus::proxy::CacheProperties;
use zbus::{Guid, interface, proxy};

const PATH: &str = "/dip/bench";

/// The small message. An array in D-Bus has no fixed length.
#[derive(Clone, Serialize, Deserialize, zbus::Type)]
struct Small {
    id: u64,
    name: String,
    values: Vec<u32>,
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

struct Handlers;

#[interface(name = "dip.Bench")]
impl Handlers {
    async fn small(&self, message: Small) -> Small {
        message
    }

    async fn echo(&self, body: ByteBuf) -> ByteBuf {
        body
    }

    async fn one_way(&self, message: Small) {
        std::hint::black_box(message);
        HANDLED.fetch_add(1, Ordering::Relaxed);
    }

    async fn handled(&self) -> u64 {
        HANDLED.load(Ordering::Relaxed)
    }
}

/// Who asks a peer says a service nevertheless.
#[proxy(interface = "dip.Bench", default_service = "dip.Bench", default_path = "/dip/bench")]
trait Bench {
    async fn small(&self, message: &Small) -> zbus::Result<Small>;
    async fn echo(&self, body: &serde_bytes::Bytes) -> zbus::Result<ByteBuf>;
    #[zbus(no_reply)]
    async fn one_way(&self, message: &Small) -> zbus::Result<()>;
    async fn handled(&self) -> zbus::Result<u64>;
}

#[derive(Clone)]
struct Zbus(BenchProxy<'static>);

impl Contender for Zbus {
    type Message = Small;

    async fn serve(place: &Path, ready: Ready) -> Result<()> {
        let listener = UnixListener::bind(place)?;
        ready.listening()?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(answer(stream));
        }
    }

    async fn connect(place: &Path) -> Result<Self> {
        let stream = UnixStream::connect(place).await?.into_std()?;
        let connection = Builder::unix_stream(stream).p2p().build().await?;
        let proxy = BenchProxy::builder(&connection).cache_properties(CacheProperties::No);
        Ok(Self(proxy.build().await?))
    }

    async fn call(&mut self, message: Small) -> Result<Small> {
        Ok(self.0.small(&message).await?)
    }

    async fn pump(&mut self, in_flight: usize, stop: &Stop) -> Result<Counts> {
        driver::by_tasks(self, in_flight, stop).await
    }

    async fn echo(&mut self, body: Bytes) -> Result<usize> {
        Ok(self.0.echo(serde_bytes::Bytes::new(&body)).await?.len())
    }

    async fn notify(&mut self, stop: &Stop) -> Result<u64> {
        let message: Small = driver::Small::new(1);
        let mut sent = 0;
        while !stop.is_over() {
            self.0.one_way(&message).await?;
            sent += 1;
        }
        Ok(sent)
    }

    async fn handled(&mut self) -> Result<u64> {
        Ok(self.0.handled().await?)
    }
}

/// Serves one connection until it ends.
async fn answer(stream: UnixStream) -> Result<()> {
    let connection = Builder::unix_stream(stream.into_std()?)
        .server(Guid::generate())
        .p2p()
        .serve_at(PATH, Handlers)
        .build()
        .await?;
    connection.closed().await;
    Ok(())
}

fn main() -> ExitCode {
    let variants = [
        Variant::of::<Zbus>("zbus ct", Runtime::CurrentThread),
        Variant::of::<Zbus>("zbus mt", Runtime::MultiThread),
    ];
    driver::main(
        &variants.map(|variant| variant.crates(&["zbus"]).note("peer to peer, without a bus")),
    )
}
