//! zlink, over its Unix transport: calls by a proxy, many at a time by a chain, as its documentation
//! says under pipelining. Varlink is JSON: bytes travel in base64.

use std::fmt;
use std::path::Path;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use base64_simd::STANDARD as BASE64;
use bytes::Bytes;
use driver::{Contender, Counts, Flight, HANDLED, Message, Ready, Result, Runtime, Stop, Variant};
use futures::StreamExt;
use send_wrapper::SendWrapper;
use serde::{Deserialize, Serialize};
use zlink::introspect::{self, CustomType};
use zlink::tokio::unix::{self, Connection};
use zlink::{ReplyError, Server, proxy, service};

/// The small message. A list in Varlink has no fixed length.
#[derive(Clone, Debug, Serialize, Deserialize, CustomType)]
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

#[derive(Debug, Serialize, Deserialize, CustomType)]
struct Body {
    bytes: String,
}

#[derive(Debug, Serialize, Deserialize, CustomType)]
struct Handled {
    messages: u64,
}

/// There are no errors.
#[derive(Debug, ReplyError, introspect::ReplyError)]
#[zlink(interface = "dip.bench")]
enum Error {}

impl fmt::Display for Error {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl std::error::Error for Error {}

struct Bench;

#[service(interface = "dip.bench", types = [Small, Body, Handled])]
impl Bench {
    async fn small(&mut self, id: u64, name: String, values: Vec<u32>) -> Small {
        Small { id, name, values }
    }

    async fn echo(&mut self, bytes: String) -> Body {
        let bytes = BASE64.decode_to_vec(bytes).unwrap_or_default();
        Body { bytes: BASE64.encode_to_string(bytes) }
    }

    async fn one_way(&mut self, id: u64, name: String, values: Vec<u32>) {
        std::hint::black_box(Small { id, name, values });
        HANDLED.fetch_add(1, Ordering::Relaxed);
    }

    async fn handled(&mut self) -> Handled {
        Handled { messages: HANDLED.load(Ordering::Relaxed) }
    }
}

#[proxy("dip.bench")]
trait BenchProxy {
    async fn small(
        &mut self,
        id: u64,
        name: &str,
        values: &[u32],
    ) -> zlink::Result<Result<Small, Error>>;
    async fn echo(&mut self, bytes: &str) -> zlink::Result<Result<Body, Error>>;
    #[zlink(oneway)]
    async fn one_way(&mut self, id: u64, name: &str, values: &[u32]) -> zlink::Result<()>;
    async fn handled(&mut self) -> zlink::Result<Result<Handled, Error>>;
}

/// One-way calls that leave in one write.
const ONE_WRITE: usize = 64;

struct Zlink(Connection);

impl Contender for Zlink {
    type Message = Small;

    async fn serve(place: &Path, ready: Ready) -> Result<()> {
        let server = Server::new(unix::bind(place)?, Bench);
        ready.listening()?;
        // It serves all connections by one future, which is not `Send`.
        Ok(SendWrapper::new(server.run()).await?)
    }

    async fn connect(place: &Path) -> Result<Self> {
        Ok(Self(unix::connect(place).await?))
    }

    async fn call(&mut self, message: Small) -> Result<Small> {
        Ok(self.0.small(message.id, &message.name, &message.values).await??)
    }

    async fn pump(&mut self, in_flight: usize, stop: &Stop) -> Result<Counts> {
        SendWrapper::new(chains(&mut self.0, in_flight, stop)).await
    }

    async fn echo(&mut self, body: Bytes) -> Result<usize> {
        let reply = self.0.echo(&BASE64.encode_to_string(body)).await??;
        Ok(BASE64.decode_to_vec(reply.bytes)?.len())
    }

    async fn notify(&mut self, stop: &Stop) -> Result<u64> {
        SendWrapper::new(one_way_chains(&mut self.0, stop)).await
    }

    async fn handled(&mut self) -> Result<u64> {
        Ok(self.0.handled().await??.messages)
    }
}

/// The replies to a chain are a stream that is not `Send`.
async fn chains(connection: &mut Connection, in_flight: usize, stop: &Stop) -> Result<Counts> {
    let mut messages: Vec<Small> = (0..in_flight as u64).map(driver::Small::new).collect();
    let mut flight = Flight::new(in_flight);
    while !stop.is_over() {
        let (first, others) = messages.split_first().ok_or("no calls")?;
        flight.begin(first.id);
        let mut chain = connection.chain_small(first.id, &first.name, &first.values)?;
        for message in others {
            flight.begin(message.id);
            chain = chain.small(message.id, &message.name, &message.values)?;
        }
        let mut replies = pin!(chain.send::<Small, Error>().await?);
        for message in &mut messages {
            let (reply, _) = replies.next().await.ok_or("no reply")??;
            *message = reply?.into_parameters().ok_or("an empty reply")?;
            flight.end(message.id)?;
        }
    }
    Ok(flight.counts())
}

async fn one_way_chains(connection: &mut Connection, stop: &Stop) -> Result<u64> {
    let Small { id, name, values } = driver::Small::new(1);
    let mut sent = 0;
    while !stop.is_over() {
        let mut chain = connection.chain_one_way(id, &name, &values)?;
        for _ in 1..ONE_WRITE {
            chain = chain.one_way(id, &name, &values)?;
        }
        chain.send_ignore_replies().await?;
        sent += ONE_WRITE as u64;
    }
    Ok(sent)
}

fn main() -> ExitCode {
    let variant = Variant::of::<Zlink>("zlink", Runtime::CurrentThread)
        .crates(&["zlink"])
        .note("many calls leave as a chain; bodies are in base64");
    driver::main(&[variant])
}
