//! A process is killed: whoever has to do with it knows at once.

use std::time::{Duration, Instant};

use dip::{CallError, Router, handler};
use dip_tests::death::{Death, Times};
use dip_tests::holding::{Held, Hold};
use dip_tests::process::Program;
use dip_tests::serving::{Over, serve};
use tokio::process::Command;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::timeout;

use super::PATIENCE;

#[handler(group = "dying")]
async fn held(_: Held) -> u64 {
    0
}

const DEATHS: usize = 11;

/// What a master may need to learn of a death.
const SOON: Duration = Duration::from_millis(100);

/// The other tests run at the same time, so that any time may be long. What is judged is how much
/// longer dip takes than a bare pipe in the same process, and of several deaths the one in the
/// middle. The storm test has a machine for itself and judges the whole.
#[tokio::test]
async fn a_master_learns_of_a_death_by_its_hook_and_by_its_call_as_soon_as_by_a_pipe() {
    let (left, mut departures) = unbounded_channel();
    let serving = serve(Over::Unix, |server| {
        let server = server.router(Router::group("dying"));
        server.on_disconnect(move |peer, _| _ = left.send((peer.id(), Instant::now())))
    })
    .await;
    let (mut told, mut failed) = (Vec::new(), Vec::new());
    for _ in 0..DEATHS {
        let mut sleeper = Command::new(env!("CARGO_BIN_EXE_sleeper"));
        let mut sleeper = Program::start(sleeper.arg(&serving.address));
        let peers = timeout(PATIENCE, serving.server.wait_for_peers(1)).await.unwrap();
        let peer = peers.unwrap().pop().unwrap();
        let id = peer.id();
        let call = tokio::spawn(async move { (peer.send(&Hold).await, Instant::now()) });
        assert_eq!(sleeper.line().await, "holds");

        let (killed, silent) = sleeper.killed().await;

        let (ended, at) = timeout(PATIENCE, call).await.expect("the call ends").unwrap();
        assert!(matches!(ended, Err(CallError::ConnectionLost)), "{ended:?}");
        failed.push(Death::since(killed, at, silent));
        let (gone, at) = timeout(PATIENCE, departures.recv()).await.expect("it is told").unwrap();
        assert_eq!(gone, id);
        told.push(Death::since(killed, at, silent));
    }
    for deaths in [told, failed] {
        assert!(Times::own(&deaths).percent(50) <= SOON, "{deaths:?}");
    }
}
