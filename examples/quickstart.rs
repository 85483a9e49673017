//! A typed call crosses a real Unix socket: server and client in one process.
//!
//! ```text
//! cargo run --example quickstart
//! ```

use dip::{Client, Protocol, Server, handler};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype("text.count")]
#[protocol(reply = usize)]
struct CountWords {
    text: String,
}

#[handler]
async fn count_words(message: CountWords) -> usize {
    message.text.split_whitespace().count()
}

#[tokio::main]
async fn main() -> dip::Result<()> {
    let path = std::env::temp_dir().join(format!("quickstart-{}.sock", std::process::id()));
    let server = Server::builder(&path).bind().await?;
    tokio::spawn(server.run());

    let client = Client::connect(&path).await?;
    let words = client.call(&CountWords { text: "hello over a real socket".into() }).await?;
    println!("{words} words, counted by the other side");
    client.close().await
}
