//! `sleeper PATH`: a worker that never answers the call of its master. Prints `holds` when it has it.
#![forbid(unsafe_code)]

use dip::{Client, Router, handler};
use dip_tests::holding::Hold;

#[handler]
async fn hold(_: Hold) {
    println!("holds");
    std::future::pending::<()>().await;
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> dip::Result<()> {
    let path = std::env::args().nth(1).unwrap_or_default();
    let router = Router::new().handler(hold);
    Client::builder(path.as_str()).router(router).connect().await?.disconnected().await;
    Ok(())
}
