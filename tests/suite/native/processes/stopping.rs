//! Nobody waits for a call any more: its handler, in another process, is dropped.

use std::time::{Duration, Instant};

use dip::Client;
use dip_tests::holding::Held;
use dip_tests::process::Program;
use tokio::process::Command;

use super::until;

const CALLS: u64 = 100;

/// A keeper, a process with calls in hand there, and a client that asks.
struct Scene {
    holder: Program,
    client: Client,
    _keeper: Program,
    _directory: tempfile::TempDir,
}

async fn scene() -> Scene {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let mut keeper = Program::start(Command::new(env!("CARGO_BIN_EXE_keeper")).arg(&path));
    assert_eq!(keeper.line().await, "ready");
    let mut holder = Command::new(env!("CARGO_BIN_EXE_holder"));
    let mut holder = Program::start(holder.arg(&path).arg(CALLS.to_string()));
    assert_eq!(holder.line().await, format!("holds {CALLS}"));
    let client = Client::connect(&path).await.unwrap();
    assert_eq!(client.call(&Held).await.unwrap(), CALLS);
    Scene { holder, client, _keeper: keeper, _directory: directory }
}

#[tokio::test]
async fn calls_that_are_dropped_stop_their_handlers() {
    let mut scene = scene().await;
    scene.holder.tell("drop").await;
    // It asks right behind: the handlers are told to stop by then, and may not have come to it.
    assert!(scene.holder.line().await.ends_with(" left"));
    until("nothing is held", async || scene.client.call(&Held).await.unwrap() == 0).await;
    scene.holder.end().await;
}

#[tokio::test]
async fn the_handlers_of_a_process_that_is_killed_are_dropped() {
    let scene = scene().await;
    let killed = Instant::now();
    scene.holder.kill().await;
    until("nothing is held", async || scene.client.call(&Held).await.unwrap() == 0).await;
    // A tenth of that on a machine that has nothing else to do.
    assert!(killed.elapsed() < Duration::from_secs(1), "{:?}", killed.elapsed());
}
