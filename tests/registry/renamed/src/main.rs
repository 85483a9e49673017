//! dip under another name, and through a module of the user's.

use serde::{Deserialize, Serialize};

mod net {
    pub use ipc::*;
}

#[derive(Serialize, Deserialize, ipc::Protocol)]
#[mtype(b'N')]
#[protocol(crate = ipc)]
struct Note(u8);

#[derive(Serialize, Deserialize, net::Protocol)]
#[mtype("renamed.number")]
#[protocol(crate = crate::net, reply = u8)]
struct Number(u8);

#[derive(ipc::Protocol)]
#[mtype(b'F')]
#[protocol(codec = fields, crate = ::ipc)]
struct Record {
    key: Option<String>,
}

#[ipc::handler(crate = ipc)]
async fn note(note: Note) {
    println!("{}", note.0);
}

#[net::handler(crate = crate::net, blocking)]
fn number(number: Number, ipc::State(more): ipc::State<u8>) -> u8 {
    number.0 + more
}

#[ipc::handler(crate = ::ipc)]
async fn record(record: Record) {
    drop(record.key);
}

fn main() {
    assert_eq!(ipc::Router::linked().handlers().count(), 3);
    drop(ipc::serve!("unused.sock", state = 7_u8));
}
