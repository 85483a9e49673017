//! `keeper PATH`: a server whose handlers hold on to their calls until they are stopped, and that
//! says how many do. Prints `ready` when it listens.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

use dip::{Router, Server, State, handler};
use dip_tests::holding::{Held, Hold};

#[derive(Clone, Default)]
struct Count(Arc<AtomicU64>);

/// Counts itself out when it is dropped.
struct Guard(Count);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, SeqCst);
    }
}

#[handler]
async fn hold(_: Hold, State(count): State<Count>) {
    count.0.fetch_add(1, SeqCst);
    let _guard = Guard(count);
    std::future::pending::<()>().await;
}

#[handler]
async fn held(_: Held, State(count): State<Count>) -> u64 {
    // Handlers that were stopped before get their turn.
    tokio::task::yield_now().await;
    count.0.load(SeqCst)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> dip::Result<()> {
    let path = std::env::args().nth(1).unwrap_or_default();
    let bound = Server::builder(path.as_str())
        .router(Router::new().handler(hold).handler(held))
        .state(Count::default())
        .bind()
        .await?;
    println!("ready");
    bound.run().await
}
