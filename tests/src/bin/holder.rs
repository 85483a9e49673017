//! `holder PATH CALLS`: has so many calls in hand at a keeper and prints how many it holds. At the first
//! line of input it drops them, and prints how many are still held when the next call has come back.
#![forbid(unsafe_code)]

use std::time::Duration;

use dip::Client;
use dip_tests::holding::{Held, Hold};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::task::JoinSet;

#[tokio::main(flavor = "current_thread")]
async fn main() -> dip::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_default();
    let calls: u64 = arguments.next().and_then(|calls| calls.parse().ok()).unwrap_or_default();
    let client = Client::connect(path.as_str()).await?;
    let mut holding = JoinSet::new();
    for _ in 0..calls {
        holding.spawn(client.call(&Hold));
    }
    while client.call(&Held).await? < calls {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    println!("holds {calls}");
    BufReader::new(stdin()).read_line(&mut String::new()).await?;
    holding.shutdown().await;
    println!("{} left", client.call(&Held).await?);
    client.close().await
}
