//! How a server ends.

use dip::{Error, Limits, Router, Server, State, handler};

use super::support::*;

#[handler]
async fn note(Note(text): Note, State(log): State<Log>, State(gate): State<Gate>) {
    let dropped = Dropped(&log);
    gate.pass().await;
    log.push(text);
    std::mem::forget(dropped);
}

/// Says so when a handler is dropped before its end.
struct Dropped<'a>(&'a Log);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.push("dropped");
    }
}

async fn fixture(limits: Limits) -> (Running, Log, Gate) {
    let (log, gate) = (Log::default(), Gate::closed());
    let router = Router::new().handler(note);
    let running = serve_with(|builder| {
        builder.router(router).state(log.clone()).state(gate.clone()).limits(limits)
    })
    .await;
    (running, log, gate)
}

async fn in_hand(running: &Running, count: u64) {
    let of_note = || running.server.stats().of(dip::Mtype::byte(NOTE)).unwrap().clone();
    until(|| of_note().in_flight == count).await;
}

#[tokio::test]
async fn messages_in_hand_are_finished_and_answered() {
    let (mut running, log, gate) = fixture(Limits::default()).await;
    let (mut busy, mut idle) = (running.connect().await, running.connect().await);
    busy.write(&[frame(NOTE, "in hand"), frame(NOTE, "behind")].concat()).await;
    in_hand(&running, 1).await;
    running.server.shutdown();
    running.server.shutdown();
    assert_eq!(idle.rest().await, "", "an idle connection is closed");
    until(|| !running.path().exists()).await;
    gate.open(1);
    let refused = "ConnectionError('the server is shutting down')";
    assert_eq!(busy.rest().await, format!("ok{refused}"), "what has not begun is refused");
    running.ended().await.unwrap();
    assert_eq!(log.all(), ["in hand"]);
}

/// The false acknowledgement must not come back through the stop.
#[tokio::test]
async fn a_reply_is_late_also_while_the_server_stops() {
    let (mut running, _, gate) = fixture(Limits::default()).await;
    let mut client = running.connect().await;
    client.send(NOTE, "slow").await;
    in_hand(&running, 1).await;
    running.server.shutdown();
    client.expect_silence(600).await;
    client.send(NOTE, "next").await;
    client.expect_silence(50).await;
    gate.open(1);
    assert_eq!(client.rest().await, "ConnectionError('the server is shutting down')");
    running.ended().await.unwrap();
}

#[tokio::test]
async fn a_future_can_stop_it() {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let router = Router::new().handler(note);
    let mut running = serve_with(|builder| {
        builder.router(router).state(Log::default()).state(Gate::closed()).shutdown(async move {
            _ = stopped.await;
        })
    })
    .await;
    let mut client = running.connect().await;
    assert_eq!(client.ask(b'O', "").await, "ok");
    stop.send(()).unwrap();
    assert_eq!(client.rest().await, "");
    running.ended().await.unwrap();
    assert!(!running.path().exists());
}

#[tokio::test]
async fn dropping_its_future_stops_it_at_once() {
    let (running, log, _) = fixture(Limits::default()).await;
    let mut client = running.connect().await;
    client.send(NOTE, "").await;
    in_hand(&running, 1).await;
    running.abort();
    assert_eq!(
        client.rest().await,
        "ConnectionError('the server stopped before the handler had ended')"
    );
    until(|| log.all() == ["dropped"]).await;
    until(|| running.server.stats().connections == 0).await;
    assert!(!running.path().exists());
}

#[tokio::test]
async fn a_server_that_was_stopped_before_it_ran_ends_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let bound = Server::builder(&path).router(Router::new().handler(plain)).bind().await.unwrap();
    bound.server().shutdown();
    in_time(bound.run()).await.unwrap();
    assert!(!path.exists());
}

#[handler]
async fn plain(_: Brief) {}

#[tokio::test]
async fn a_second_server_on_its_path_is_refused() {
    let (running, _, _) = fixture(Limits::default()).await;
    let second = Server::builder(running.path()).router(Router::new().handler(plain));
    let error = second.bind().await.unwrap_err();
    assert!(matches!(error, Error::Bind(dip::BindError::AddrInUse { .. })), "{error:?}");
    assert_eq!(running.connect().await.ask(b'O', "").await, "ok");
}

#[tokio::test]
async fn a_server_whose_path_was_taken_says_so_and_leaves_the_path_alone() {
    let (mut running, _, gate) = fixture(Limits::default()).await;
    let mut client = running.connect().await;
    client.send(NOTE, "in hand").await;
    in_hand(&running, 1).await;
    // As asyncio does it.
    std::fs::remove_file(running.path()).unwrap();
    let _other = std::os::unix::net::UnixListener::bind(running.path()).unwrap();
    tokio::time::sleep(ms(2_500)).await;
    gate.open(1);
    let error = running.ended().await.unwrap_err();
    assert!(matches!(&error, Error::PathTaken(path) if path == running.path()), "{error:?}");
    assert_eq!(client.rest().await, "ok", "its clients are not left in the dark");
    assert!(running.path().exists());
}

#[tokio::test]
async fn a_server_whose_path_was_removed_does_not_blame_another_one() {
    let (mut running, _, _) = fixture(Limits::default()).await;
    std::fs::remove_file(running.path()).unwrap();
    let error = running.ended().await.unwrap_err();
    assert!(matches!(&error, Error::PathRemoved(path) if path == running.path()), "{error:?}");
    assert!(error.to_string().contains("was removed"), "{error}");
}
