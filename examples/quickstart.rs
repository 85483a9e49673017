//! A typed message crosses a real Unix socket: server and client in one process.
//!
//! ```text
//! cargo run --example quickstart
//! ```

use dip::{Client, Protocol, Server, handler};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'N')]
struct Note {
    from: String,
    text: String,
}

#[handler]
async fn note(note: Note) {
    println!("{} says: {}", note.from, note.text);
}

#[tokio::main]
async fn main() -> dip::Result<()> {
    let path = std::env::temp_dir().join(format!("quickstart-{}.sock", std::process::id()));
    let server = Server::builder(&path).bind().await?;
    tokio::spawn(server.run());

    let client = Client::connect(&path).await?;
    client.send(&Note { from: "a worker".into(), text: "hello over a real socket".into() }).await?;
    println!("acknowledged: the handler has returned");
    client.close().await
}
