//! The messages, and the server that handles them.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dip::{Bytes, Protocol, Server, handler};
use driver::{HANDLED, Message, Ready, Result};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype("bench.small")]
#[protocol(reply = Small)]
pub(crate) struct Small(pub(crate) Message);

impl driver::Small for Small {
    fn new(id: u64) -> Self {
        Self(Message::new(id))
    }

    fn id(&self) -> u64 {
        self.0.id
    }
}

#[handler]
async fn small(message: Small) -> Small {
    message
}

/// The small message on the classic wire, which has nothing but acknowledgements.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'S')]
pub(crate) struct ClassicSmall(pub(crate) Message);

impl driver::Small for ClassicSmall {
    fn new(id: u64) -> Self {
        Self(Message::new(id))
    }

    fn id(&self) -> u64 {
        self.0.id
    }
}

#[handler]
async fn classic_small(message: ClassicSmall) {
    std::hint::black_box(message);
}

#[derive(Protocol)]
#[mtype("bench.body")]
#[protocol(codec = raw, reply = Body, reply_codec = raw)]
pub(crate) struct Body(pub(crate) Bytes);

#[handler]
async fn body(message: Body) -> Body {
    message
}

#[derive(Serialize, Deserialize, Protocol)]
#[mtype("bench.one-way")]
pub(crate) struct OneWay(pub(crate) Message);

#[handler]
async fn one_way(message: OneWay) {
    std::hint::black_box(message);
    HANDLED.fetch_add(1, Ordering::Relaxed);
}

#[derive(Serialize, Deserialize, Protocol)]
#[mtype("bench.handled")]
#[protocol(reply = u64)]
pub(crate) struct Handled;

#[handler]
async fn handled(_: Handled) -> u64 {
    HANDLED.load(Ordering::Relaxed)
}

pub(crate) async fn serve(place: &Path, ready: Ready) -> Result<()> {
    serve_spinning(place, ready, Duration::ZERO).await
}

pub(crate) async fn serve_spinning(place: &Path, ready: Ready, spin: Duration) -> Result<()> {
    let server = Server::builder(place).spin(spin).bind().await?;
    ready.listening()?;
    Ok(server.run().await?)
}
