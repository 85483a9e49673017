//! A router made by hand: no link-time magic decides which handlers a server has.
//!
//! Good for tests, and for programs with several servers. The handlers are still ordinary functions.
//!
//! ```text
//! cargo run --example explicit_router
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use dip::{Client, Protocol, Router, Server, State, handler};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'A')]
struct Add(i64);

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'R')]
struct Reset {
    to: i64,
}

type Sum = Arc<AtomicI64>;

#[handler]
async fn add(Add(number): Add, State(sum): State<Sum>) {
    sum.fetch_add(number, Ordering::Relaxed);
}

#[handler]
async fn reset(Reset { to }: Reset, State(sum): State<Sum>) {
    sum.store(to, Ordering::Relaxed);
}

#[tokio::main]
async fn main() -> dip::Result<()> {
    let sum = Sum::default();

    // A handler stays a function: this is how a unit test calls it.
    add(Add(40), State(sum.clone())).await;

    // This server adds, and does not know how to reset.
    let router = Router::new().handler(add);
    for line in router.handlers() {
        println!("the router has: {line}");
    }
    let path = std::env::temp_dir().join(format!("router-{}.sock", std::process::id()));
    let server = Server::builder(&path).router(router).state(sum.clone()).bind().await?;
    tokio::spawn(server.run());

    let client = Client::connect(&path).await?;
    client.send(&Add(2)).await?;
    println!("the sum is {}", sum.load(Ordering::Relaxed));
    match client.send(&Reset { to: 0 }).await {
        Ok(()) => println!("reset"),
        Err(error) => println!("no reset: {error}"),
    }
    client.close().await
}
