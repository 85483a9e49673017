//! The expansions are silent: this file is also a target of its own, for clippy to read.
#![deny(warnings, missing_docs, unused_qualifications, unreachable_pub, elided_lifetimes_in_paths)]
#![deny(clippy::all, clippy::pedantic)]
#![forbid(unsafe_code)]

use std::fmt;

use dip::{Peer, Protocol, Rejection, State, handler};
use serde::{Deserialize, Serialize};

/// A message.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype("lints.note")]
#[protocol(codec = json, reply = u8, error = Full, max_len = "1 MiB", deadline = "2s", idempotent)]
pub struct Note {
    /// The text.
    pub text: String,
}

/// Its error.
#[derive(Debug, Serialize, Deserialize)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("full")
    }
}

impl std::error::Error for Full {}

/// Text.
#[derive(Protocol)]
#[mtype(b'T')]
#[protocol(codec = text)]
pub struct Text(pub String);

/// A list.
#[derive(Protocol)]
#[mtype(b'L')]
#[protocol(codec = list)]
pub struct List(pub Vec<Text>);

/// A record.
#[derive(Protocol)]
#[mtype(b'R')]
#[protocol(codec = fields)]
pub struct Record {
    /// A field.
    pub key: Option<String>,
}

#[handler]
async fn note(note: Note) -> Result<u8, Full> {
    std::future::ready(()).await;
    u8::try_from(note.text.len()).map_err(|_| Full)
}

#[handler(blocking, ordered = "client")]
fn text(text: Text, State(shift): State<usize>, peer: Peer) -> Result<(), Rejection> {
    let from = peer;
    if text.0.len() > shift && from.pid().is_some() {
        return Err(Rejection::named("ValueError", text.0));
    }
    Ok(())
}

#[handler(ack = "received", group = "lists", spawn, no_cancel)]
async fn lists(list: List) {
    std::future::ready(list.0.len()).await;
}

#[handler]
async fn record(record: Record) {
    std::future::ready(record.key).await;
}

fn main() {
    drop(dip::serve!("/tmp/run.sock", state = 7_usize, link = [::dip]));
}
