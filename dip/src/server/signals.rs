//! The usual reason to stop.

use tokio::signal::unix::{SignalKind, signal};

/// Ready at the first SIGTERM or SIGINT: give it to a server as `shutdown = dip::signals()`.
///
/// A second signal ends the process at once, with the exit code that shells give to it (128 and the
/// signal's number). Until it is polled, no signal is handled.
///
/// It must be polled in a tokio runtime with signals enabled, as those of `#[tokio::main]` are.
pub async fn signals() {
    let kinds = [SignalKind::terminate(), SignalKind::interrupt()];
    let [Ok(mut terminate), Ok(mut interrupt)] = kinds.map(signal) else {
        // Without handlers the signals end the process as they always do.
        tracing::warn!("SIGTERM and SIGINT cannot be handled: they end the process at once");
        return std::future::pending().await;
    };
    let mut next = async move || {
        tokio::select! {
            _ = terminate.recv() => SignalKind::terminate(),
            _ = interrupt.recv() => SignalKind::interrupt(),
        }
    };
    next().await;
    tokio::spawn(async move {
        let second = next().await;
        std::process::exit(128 + second.as_raw_value());
    });
}
