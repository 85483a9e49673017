//! A program that takes over the byte of a built-in message; it starts.

use dip::{Protocol, handler};

#[derive(Protocol)]
#[mtype(b'O', replace)]
#[protocol(codec = raw)]
struct Chunk(bytes::Bytes);

#[handler]
async fn chunk(_: Chunk) {}

#[tokio::main(flavor = "current_thread")]
async fn main() -> dip::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_default();
    let bound = dip::Server::builder(format!("{folder}/run.sock").as_str()).bind().await?;
    drop(bound);
    Ok(())
}
