//! The expansions name everything by its whole path.
#![no_implicit_prelude]

use ::dip::{Protocol, handler};
use ::serde::{Deserialize, Serialize};
use ::std::option::Option;
use ::std::result::Result;
use ::std::string::String;
use ::std::vec::Vec;

#[derive(Serialize, Deserialize, Protocol)]
#[mtype("no.prelude")]
#[protocol(reply = Vec<u8>, max_len = 7, deadline = "2s", idempotent, crate = ::dip)]
struct Note {
    text: String,
}

#[derive(Protocol)]
#[mtype(b't')]
#[protocol(codec = text)]
struct Line(String);

#[derive(Protocol)]
#[mtype(b'l')]
#[protocol(codec = list)]
struct Lines(Vec<Line>);

#[derive(Protocol)]
#[mtype(b'f')]
#[protocol(codec = fields)]
struct Record {
    key: Option<String>,
}

#[handler(group = "one", crate = ::dip)]
async fn note(note: Note, ::dip::State(more): ::dip::State<u8>) -> Result<Vec<u8>, ::dip::Rejection> {
    let mut bytes = note.text.into_bytes();
    bytes.push(more);
    Result::Ok(bytes)
}

#[handler]
async fn line(Line(_): Line) {}

#[handler]
async fn lines(Lines(_): Lines) {}

#[handler]
async fn record(record: Record) {
    ::std::mem::drop(record.key);
}

fn main() {
    let server = ::dip::serve!("/tmp/run.sock", link = [::dip], state = 7_u8);
    ::std::mem::drop(server);
}
