//! `stdio`: serves its standard input and output until they end.
#![forbid(unsafe_code)]

use dip::{Connection, Router, handler};
use dip_tests::versions::Kept;
use tokio::io::{join, stdin, stdout};

#[handler]
async fn kept(Kept(number): Kept) -> u64 {
    number
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> dip::Result<()> {
    Connection::over(join(stdin(), stdout()), Router::new().handler(kept)).run().await
}
