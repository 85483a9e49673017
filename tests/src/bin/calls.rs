//! Makes small calls, client and server on one thread: `calls COUNT AT_ONCE`.
//!
//! For those who count what a call costs: nothing in it depends on time.
#![forbid(unsafe_code)]

use dip::{Client, Connection, Protocol, Router, handler};
use serde::{Deserialize, Serialize};

/// 64 bytes.
#[derive(Clone, Serialize, Deserialize, Protocol)]
#[mtype("calls.sample")]
#[protocol(reply = Sample)]
struct Sample {
    id: u64,
    name: String,
    values: [u32; 8],
}

#[handler]
async fn echo(sample: Sample) -> Sample {
    sample
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> dip::Result<()> {
    let mut numbers = std::env::args().skip(1).filter_map(|number| number.parse::<u64>().ok());
    let (count, at_once) = (numbers.next().unwrap_or(1000), numbers.next().unwrap_or(1).max(1));
    let (ours, theirs) = dip::pair();
    tokio::spawn(Connection::over(theirs, Router::new().handler(echo)).run());
    let client = Client::over(ours).connect().await?;
    let callers: Vec<_> = (0..at_once)
        .map(|id| {
            let client = client.clone();
            tokio::spawn(async move {
                let sample = Sample { id, name: "sixteen letters.".into(), values: [7; 8] };
                for _ in 0..count / at_once {
                    let reply = client.call(&sample).await?;
                    assert_eq!(reply.id, id);
                }
                Ok::<_, dip::Error>(())
            })
        })
        .collect();
    for caller in callers {
        if let Ok(ended) = caller.await {
            ended?;
        }
    }
    client.close().await
}
