//! The native wire between real processes.

mod dying;
mod leaving;
mod nesting;
mod python;
mod stdio;
mod stopping;
mod versions;

use std::time::{Duration, Instant};

/// Longer than anything takes that ends at all.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for a condition.
async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < PATIENCE, "it never comes true: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
