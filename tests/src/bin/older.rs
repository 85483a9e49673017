//! `older PATH`: a server that was built before a field was added to one message, and before a field
//! of another became a number. Prints `ready` when it listens.
#![forbid(unsafe_code)]

use dip::{Peer, Protocol, Router, Server, handler};
use dip_tests::versions::{CallBack, Kept};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, Protocol)]
#[mtype("versions.note")]
struct Note {
    text: String,
}

#[derive(Debug, Serialize, Deserialize, Protocol)]
#[mtype("versions.form")]
#[protocol(codec = json, reply = String)]
struct Form {
    id: serde_json::Value,
}

#[handler]
async fn note(note: Note) {
    println!("misread: {}", note.text);
}

#[handler]
async fn form(Form { id }: Form) -> String {
    id.to_string()
}

#[handler]
async fn kept(Kept(number): Kept) -> u64 {
    number
}

#[handler]
async fn call_back(_: CallBack, peer: Peer) -> String {
    let error = peer.send(&Note { text: "back".into() }).await;
    format!("{error:?}, {:?}", peer.call(&Kept(8)).await)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> dip::Result<()> {
    let path = std::env::args().nth(1).unwrap_or_default();
    let router = Router::new().handler(note).handler(form).handler(kept).handler(call_back);
    let bound = Server::builder(path.as_str()).router(router).bind().await?;
    println!("ready");
    bound.run().await
}
