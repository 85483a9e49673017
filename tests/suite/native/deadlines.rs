//! How long calls take, and who hears when they are given up.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dip::{
    CallError, Client, Code, Context, Limits, Peer, Protocol, Reason, Router, Server, State,
    handler,
};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

const MS: Duration = Duration::from_millis(1);

/// Longer than anything takes that ends at all.
const PATIENCE: Duration = Duration::from_secs(10);

/// What handlers tell the test, and what they wait for.
#[derive(Clone)]
struct Stage {
    tell: mpsc::UnboundedSender<&'static str>,
    go: Arc<Notify>,
    left: Arc<Mutex<Vec<Duration>>>,
    done: Arc<AtomicUsize>,
}

/// Tells how a handler ended.
struct Ends(mpsc::UnboundedSender<&'static str>);

impl Drop for Ends {
    fn drop(&mut self) {
        _ = self.0.send("dropped");
    }
}

#[derive(Serialize, Deserialize, Protocol)]
#[mtype("deadlines.wait")]
struct Wait;

#[handler(group = "native deadlines")]
async fn wait(_: Wait, State(stage): State<Stage>) {
    stage.tell.send("begun").unwrap();
    let _ends = Ends(stage.tell.clone());
    stage.go.notified().await;
    stage.done.fetch_add(1, SeqCst);
}

#[derive(Serialize, Deserialize, Protocol)]
#[mtype("deadlines.short")]
#[protocol(deadline = "50ms")]
struct Short;

#[handler(group = "native deadlines")]
async fn short(_: Short, State(stage): State<Stage>, context: Context) {
    stage.left.lock().unwrap().push(context.deadline() - Instant::now());
    std::future::pending::<()>().await;
}

#[derive(Serialize, Deserialize, Protocol)]
#[mtype("deadlines.stubborn")]
struct Stubborn;

#[handler(group = "native deadlines", no_cancel)]
async fn stubborn(_: Stubborn, State(stage): State<Stage>, context: Context) {
    stage.tell.send("begun").unwrap();
    context.cancelled().await;
    assert!(context.is_cancelled());
    tokio::task::yield_now().await;
    stage.tell.send("ran to its end").unwrap();
}

#[derive(Serialize, Deserialize, Protocol)]
#[mtype("deadlines.block")]
#[protocol(reply = bool)]
struct Block;

#[handler(group = "native deadlines", blocking)]
#[expect(clippy::needless_pass_by_value, reason = "a handler owns its arguments")]
fn block(_: Block, State(stage): State<Stage>, context: Context) -> bool {
    stage.tell.send("begun").unwrap();
    while !context.is_cancelled() {
        std::thread::sleep(MS);
    }
    stage.tell.send("ran to its end").unwrap();
    true
}

/// Calls its sender back, with the time that is left.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype("deadlines.back")]
#[protocol(reply = u64)]
struct Back;

/// What the sender of [`Back`] is asked: how much time it has, in milliseconds.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype("deadlines.left")]
#[protocol(reply = u64)]
struct Left;

#[handler(group = "native deadlines")]
async fn back(_: Back, peer: Peer) -> dip::Result<u64, dip::Rejection> {
    Ok(peer.call(&Left).timeout(PATIENCE).await?)
}

#[handler(group = "native deadlines")]
async fn left(_: Left, context: Context) -> u64 {
    (context.deadline() - Instant::now()).as_millis() as u64
}

/// Asks another server, as a client of it, for the time it is given.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype("deadlines.forward")]
#[protocol(reply = u64)]
struct Forward;

#[handler(group = "native deadlines")]
async fn forward(
    _: Forward,
    State(other): State<Client>,
    context: Context,
) -> dip::Result<u64, dip::Rejection> {
    Ok(context.scope(&other).call(&Left).timeout(PATIENCE).await?)
}

#[derive(Serialize, Deserialize, Protocol)]
#[mtype("deadlines.spawned")]
struct Spawned;

#[handler(group = "native deadlines", spawn)]
async fn spawned(_: Spawned, State(stage): State<Stage>) {
    stage.tell.send("begun").unwrap();
    let _ends = Ends(stage.tell.clone());
    std::future::pending::<()>().await;
}

#[derive(Serialize, Deserialize, Protocol)]
#[mtype("deadlines.panic")]
struct Panic(bool);

#[handler(group = "native deadlines")]
async fn panics(Panic(later): Panic) {
    if later {
        tokio::task::yield_now().await;
    }
    panic!("as it should");
}

struct Fixture {
    client: Client,
    server: Server,
    told: mpsc::UnboundedReceiver<&'static str>,
    stage: Stage,
    path: std::path::PathBuf,
    _directory: TempDir,
}

impl Fixture {
    async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    async fn with(limits: Limits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let (tell, told) = mpsc::unbounded_channel();
        let stage = Stage { tell, go: Arc::default(), left: Arc::default(), done: Arc::default() };
        // Another server, that handlers are clients of.
        let other = directory.path().join("other");
        let router = Router::new().handler(left);
        let bound = Server::builder(&other).router(router).bind().await.unwrap();
        tokio::spawn(bound.run());
        let other = Client::connect(&other).await.unwrap();
        let bound = Server::builder(&path)
            .router(Router::group("native deadlines"))
            .state(stage.clone())
            .state(other)
            .limits(limits)
            .bind()
            .await
            .unwrap();
        let server = bound.server();
        tokio::spawn(bound.run());
        let client =
            Client::builder(&path).router(Router::new().handler(left)).connect().await.unwrap();
        Self { client, server, told, stage, path, _directory: directory }
    }

    async fn hear(&mut self) -> &'static str {
        timeout(PATIENCE, self.told.recv()).await.expect("a handler says something").unwrap()
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_stops_its_handler() {
    let mut fixture = Fixture::new().await;
    let call = tokio::spawn(fixture.client.send(&Wait));
    assert_eq!(fixture.hear().await, "begun");
    call.abort();
    assert_eq!(fixture.hear().await, "dropped");
    assert_eq!(fixture.stage.done.load(SeqCst), 0);
    fixture.client.close().await.unwrap();
}

#[tokio::test]
async fn a_handler_that_is_spawned_is_stopped_alike() {
    let mut fixture = Fixture::new().await;
    let call = tokio::spawn(fixture.client.send(&Spawned));
    assert_eq!(fixture.hear().await, "begun");
    call.abort();
    assert_eq!(fixture.hear().await, "dropped");
}

#[tokio::test]
async fn a_call_past_its_time_ends_as_sent_and_stops_its_handler() {
    let mut fixture = Fixture::new().await;
    let error = fixture.client.send(&Wait).timeout(MS * 50).await.unwrap_err();
    assert!(matches!(error, CallError::Deadline { sent: true }), "{error:?}");
    assert_eq!(fixture.hear().await, "begun");
    assert_eq!(fixture.hear().await, "dropped");
}

#[tokio::test]
async fn the_time_of_a_type_goes_with_its_message() {
    let fixture = Fixture::new().await;
    let error = fixture.client.send(&Short).await.unwrap_err();
    assert!(matches!(error, CallError::Deadline { sent: true }), "{error:?}");
    let left = fixture.stage.left.lock().unwrap()[0];
    assert!(left <= MS * 51, "{left:?}");
}

#[tokio::test]
async fn a_call_that_had_no_permit_in_time_was_not_sent() {
    let mut fixture = Fixture::with(Limits::default().calls(1)).await;
    let first = tokio::spawn(fixture.client.send(&Wait));
    assert_eq!(fixture.hear().await, "begun");
    let error = fixture.client.send(&Wait).timeout(MS * 50).await.unwrap_err();
    assert!(matches!(error, CallError::Deadline { sent: false }), "{error:?}");
    assert!(error.is_retryable());
    fixture.stage.go.notify_one();
    first.await.unwrap().unwrap();
    assert_eq!(fixture.hear().await, "dropped");
    assert!(fixture.told.try_recv().is_err(), "the second never began");
}

#[tokio::test]
async fn the_cap_of_the_server_ends_a_handler_and_says_so() {
    let mut fixture = Fixture::with(Limits::default().handler_cap(MS * 50)).await;
    let error = fixture.client.send(&Wait).await.unwrap_err();
    let CallError::Rejected(remote) = error else { panic!("{error:?}") };
    assert_eq!(remote.code, Code::Deadline);
    assert!(remote.may_have_run());
    assert_eq!(fixture.hear().await, "begun");
    assert_eq!(fixture.hear().await, "dropped");
}

#[tokio::test]
async fn a_handler_that_says_no_cancel_runs_to_its_end() {
    let mut fixture = Fixture::new().await;
    let call = tokio::spawn(fixture.client.send(&Stubborn));
    assert_eq!(fixture.hear().await, "begun");
    call.abort();
    assert_eq!(fixture.hear().await, "ran to its end");
}

#[tokio::test]
async fn a_blocking_handler_runs_to_its_end_and_keeps_its_permit() {
    let mut fixture = Fixture::with(Limits::default().calls(1)).await;
    let error = fixture.client.call(&Block).timeout(MS * 50).await.unwrap_err();
    assert!(matches!(error, CallError::Deadline { sent: true }), "{error:?}");
    assert_eq!(fixture.hear().await, "begun");
    assert_eq!(fixture.hear().await, "ran to its end");
    // Its permit is back once it has ended.
    let call = tokio::spawn(fixture.client.send(&Wait));
    assert_eq!(fixture.hear().await, "begun");
    fixture.stage.go.notify_one();
    call.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_loss_of_a_connection_stops_the_handlers_of_its_calls_only() {
    let mut fixture = Fixture::new().await;
    let other = Client::connect(&fixture.path).await.unwrap();
    let call = tokio::spawn(other.send(&Wait));
    assert_eq!(fixture.hear().await, "begun");
    other.notify(&Wait).await.unwrap();
    assert_eq!(fixture.hear().await, "begun");
    // The process is gone, as far as the server can see.
    let before = fixture.server.stats().connections;
    call.abort();
    drop((call, other));
    assert_eq!(fixture.hear().await, "dropped");
    while fixture.server.stats().connections == before {
        tokio::time::sleep(MS).await;
    }
    assert!(fixture.told.try_recv().is_err(), "the one-way message is still handled");
    fixture.stage.go.notify_one();
    assert_eq!(fixture.hear().await, "dropped");
    assert_eq!(fixture.stage.done.load(SeqCst), 1);
}

#[tokio::test]
async fn a_call_back_has_no_more_time_than_the_call_it_serves() {
    let fixture = Fixture::new().await;
    let left = fixture.client.call(&Back).timeout(MS * 500).await.unwrap();
    assert!(left <= 501, "{left}");
}

#[tokio::test]
async fn a_call_through_another_client_in_scope_has_no_more_time_either() {
    let fixture = Fixture::new().await;
    let left = fixture.client.call(&Forward).timeout(MS * 500).await.unwrap();
    assert!(left <= 501, "{left}");
}

#[tokio::test]
async fn a_panic_is_an_answer_and_nothing_else_ends() {
    let fixture = Fixture::new().await;
    for later in [false, true] {
        let error = fixture.client.send(&Panic(later)).await.unwrap_err();
        let CallError::Rejected(remote) = error else { panic!("{error:?}") };
        assert_eq!(remote.code, Code::Panicked);
    }
    assert!(fixture.client.call(&Back).await.is_ok());
    assert_eq!(fixture.server.stats().accepted, 1);
}

#[tokio::test]
async fn a_message_whose_time_is_over_before_it_begins_is_not_sent() {
    let mut fixture = Fixture::new().await;
    let error = fixture.client.send(&Wait).timeout(Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, CallError::Deadline { sent: false }), "{error:?}");
    let error = fixture.client.notify(&Wait).timeout(Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, CallError::NotSent(Reason::SlowPeer)), "{error:?}");
    fixture.client.flush().await.unwrap();
    assert!(fixture.told.try_recv().is_err());
}
