//! A message that has a reply cannot be sent as one that is only acknowledged.

use dip::{Client, Protocol};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'A')]
#[protocol(reply = i64)]
struct Add {
    a: i64,
    b: i64,
}

async fn add(client: Client) {
    _ = client.send(&Add { a: 1, b: 2 }).await;
}

fn main() {}
