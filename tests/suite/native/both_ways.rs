//! Calls of both sides on one connection.

use std::sync::Mutex;
use std::time::Duration;

use dip::{
    CallError, Client, ClientGone, CloseReason, Code, Context, Limits, Peer, Protocol, Reason,
    Rejection, Router, Server, ServerBuilder, Slow, State, Uuid, Wire, handler,
};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::support::{Gate, in_time, ms, until};

/// Is answered by one level more, until the level is 0: each side calls the other.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype("both.down")]
#[protocol(reply = u32)]
struct Down(u32);

#[handler(group = "both ways")]
async fn down(Down(level): Down, peer: Peer) -> Result<u32, Rejection> {
    match level {
        0 => Ok(0),
        level => match peer.call(&Down(level - 1)).await {
            Err(CallError::NotSent(Reason::TooDeep)) => Ok(1000),
            answer => Ok(answer? + 1),
        },
    }
}

/// The same in one lane.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype("both.lane")]
#[protocol(reply = u32)]
struct Lane(u32);

#[handler(group = "both ways", ordered = "connection")]
async fn lane(Lane(level): Lane, peer: Peer) -> Result<u32, Rejection> {
    match level {
        0 => Ok(0),
        level => Ok(peer.call(&Lane(level - 1)).await? + 1),
    }
}

/// Waits at the gate, then calls back.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype("both.held")]
#[protocol(reply = u32)]
struct Held;

#[handler(group = "both ways")]
async fn held(_: Held, State(gate): State<Gate>, peer: Peer) -> Result<u32, Rejection> {
    gate.pass().await;
    Ok(peer.call(&Down(2)).await?)
}

/// Calls back once the handler has returned.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype("both.later")]
struct Later;

#[handler(group = "both ways")]
async fn later(_: Later, State(tell): State<mpsc::UnboundedSender<u32>>, peer: Peer) {
    tokio::spawn(async move {
        tokio::time::sleep(ms(20)).await;
        tell.send(peer.call(&Down(1)).await.unwrap()).unwrap();
    });
}

/// What a server pushes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Protocol)]
#[mtype("both.news")]
struct News(u32);

#[handler(group = "both ways")]
async fn news(News(number): News, State(tell): State<mpsc::UnboundedSender<u32>>) {
    tell.send(number).unwrap();
}

struct Both {
    server: Server,
    path: std::path::PathBuf,
    gate: Gate,
    told: mpsc::UnboundedReceiver<u32>,
    tell: mpsc::UnboundedSender<u32>,
    _directory: tempfile::TempDir,
}

impl Both {
    async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    async fn with(options: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let (tell, told) = mpsc::unbounded_channel();
        let gate = Gate::closed();
        let builder = Server::builder(&path)
            .router(Router::group("both ways"))
            .state(gate.clone())
            .state(tell.clone());
        let bound = options(builder).bind().await.unwrap();
        let server = bound.server();
        tokio::spawn(bound.run());
        Self { server, path, gate, told, tell, _directory: directory }
    }

    fn builder(&self) -> dip::ClientBuilder {
        Client::builder(&*self.path)
            .router(Router::group("both ways"))
            .state(self.gate.clone())
            .state(self.tell.clone())
    }

    async fn client(&self) -> Client {
        self.builder().connect().await.unwrap()
    }

    async fn peer(&self) -> Peer {
        in_time(self.server.wait_for_peers(1)).await.unwrap().pop().unwrap()
    }

    async fn hear(&mut self) -> u32 {
        timeout(Duration::from_secs(10), self.told.recv()).await.expect("it is told").unwrap()
    }
}

#[tokio::test]
async fn a_handler_calls_back_and_is_called_back() {
    let both = Both::new().await;
    let client = both.client().await;
    for level in [0, 1, 2, 7, 16] {
        assert_eq!(in_time(client.call(&Down(level))).await.unwrap(), level);
    }
}

#[tokio::test]
async fn calls_nested_too_deep_are_refused_and_never_hang() {
    let both = Both::new().await;
    let client = both.client().await;
    // The handler at depth 16 cannot call.
    assert_eq!(in_time(client.call(&Down(17))).await.unwrap(), 1016);
    assert_eq!(in_time(client.call(&Down(16))).await.unwrap(), 16);
}

#[tokio::test]
async fn calls_nested_while_all_permits_are_taken_both_ways_come_back() {
    let limits = || Limits::default().calls(4);
    let both = Both::with(|builder| builder.limits(limits())).await;
    let client = both.builder().limits(limits()).connect().await.unwrap();
    let peer = both.peer().await;
    let there: Vec<_> = (0..4).map(|_| tokio::spawn(client.call(&Held))).collect();
    let back: Vec<_> = (0..4).map(|_| tokio::spawn(peer.call(&Held))).collect();
    let counted = || both.server.stats().of(Held::MTYPE).unwrap().in_flight == 4;
    until(counted).await;
    let beyond = client.call(&Down(0)).timeout(ms(30)).await.unwrap_err();
    assert!(matches!(beyond, CallError::Deadline { sent: false }), "{beyond:?}");
    both.gate.open(8);
    for call in there.into_iter().chain(back) {
        assert_eq!(in_time(call).await.unwrap().unwrap(), 2);
    }
}

#[tokio::test]
async fn a_call_into_a_lane_that_its_own_ancestor_holds_is_refused_at_once() {
    let both = Both::new().await;
    let client = both.client().await;
    assert_eq!(in_time(client.call(&Lane(1))).await.unwrap(), 1);
    // Level 2 here, 1 there, 0 here again, behind level 2.
    let error = in_time(client.call(&Lane(2))).await.unwrap_err();
    let CallError::Rejected(remote) = error else { panic!("{error:?}") };
    assert!(remote.text.contains("lane"), "{remote}");
    assert_eq!(in_time(client.call(&Lane(1))).await.unwrap(), 1);
}

#[tokio::test]
async fn a_peer_is_called_after_the_handler_that_knew_it_has_returned() {
    let mut both = Both::new().await;
    let client = both.client().await;
    in_time(client.send(&Later)).await.unwrap();
    assert_eq!(both.hear().await, 1);
}

#[tokio::test]
async fn a_server_finds_its_peers_and_calls_them() {
    let both = Both::new().await;
    let id = Uuid::from_u128(7);
    let client = both.builder().id(Some(id)).app("worker", "1.2.0").connect().await.unwrap();
    let peer = both.peer().await;
    assert_eq!(peer.client_id(), Some(id));
    assert_eq!(peer.app(), Some("worker 1.2.0"));
    assert_eq!(peer.pid().map(u32::from), Some(std::process::id()));
    let same = both.server.peer(peer.id()).unwrap();
    assert_eq!(in_time(same.call(&Down(3))).await.unwrap(), 3);
    client.close().await.unwrap();
    until(|| both.server.peers().is_empty()).await;
    let error = in_time(peer.call(&Down(0))).await.unwrap_err();
    assert!(matches!(error, CallError::NotSent(Reason::Gone)), "{error:?}");
    assert!(!error.is_retryable(), "no other connection has this peer at its end");
    assert!(both.server.peer(peer.id()).is_none());
}

#[tokio::test]
async fn a_client_without_handlers_says_so() {
    let both = Both::new().await;
    let _client = Client::connect(&*both.path).await.unwrap();
    let error = in_time(both.peer().await.call(&Down(0))).await.unwrap_err();
    let CallError::Rejected(remote) = error else { panic!("{error:?}") };
    assert_eq!(remote.code, Code::NoHandler);
    assert!(!remote.may_have_run());
}

#[tokio::test]
async fn a_peer_on_the_classic_wire_takes_no_messages() {
    let both = Both::new().await;
    let client = both.builder().wire(Wire::Classic).connect().await.unwrap();
    assert_eq!(client.wire(), Wire::Classic);
    let error = in_time(both.peer().await.call(&Down(0))).await.unwrap_err();
    assert!(matches!(error, CallError::NotSent(Reason::NotSupported(_))), "{error:?}");
}

#[tokio::test]
async fn a_broadcast_reaches_all_who_can_take_it() {
    let mut both = Both::new().await;
    let clients = [both.client().await, both.client().await, both.client().await];
    let _classic = both.builder().wire(Wire::Classic).connect().await.unwrap();
    in_time(both.server.wait_for_peers(4)).await.unwrap();
    let done = both.server.broadcast(&News(5), Slow::Skip).await.unwrap();
    assert_eq!((done.queued, done.skipped), (3, 1));
    for _ in &clients {
        assert_eq!(both.hear().await, 5);
    }
}

/// Handles a broadcast for as long as the gate is closed.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype("both.slow")]
struct Heavy;

#[handler(group = "both ways")]
async fn heavy(_: Heavy, State(gate): State<Gate>) {
    gate.pass().await;
}

#[tokio::test]
async fn a_broadcast_deals_with_slow_peers_as_it_is_told() {
    let both = Both::new().await;
    let limits = Limits::default().notify_window(1);
    let slow = both.builder().limits(limits).connect().await.unwrap();
    in_time(both.server.wait_for_peers(1)).await.unwrap();
    let broadcast = async |how| {
        let done = in_time(both.server.broadcast(&Heavy, how)).await.unwrap();
        (done.queued, done.skipped)
    };
    assert_eq!(broadcast(Slow::Skip).await, (1, 0));
    assert_eq!(broadcast(Slow::Skip).await, (0, 1));
    assert_eq!(broadcast(Slow::Wait(ms(20))).await, (0, 1));
    let opened = both.gate.clone();
    tokio::spawn(async move {
        tokio::time::sleep(ms(20)).await;
        opened.open(1);
    });
    assert_eq!(broadcast(Slow::Wait(Duration::from_secs(10))).await, (1, 0));
    assert_eq!(broadcast(Slow::Close).await, (0, 1));
    until(|| both.server.stats().closed(CloseReason::SlowConsumer) == 1).await;
    drop(slow);
}

#[tokio::test]
async fn who_comes_and_goes_is_told_once() {
    let log = std::sync::Arc::new(Mutex::new(Vec::new()));
    let (came, left, gone) = (log.clone(), log.clone(), log.clone());
    let both = Both::with(|builder| {
        builder
            .on_connect(move |peer| came.lock().unwrap().push(format!("came {}", peer.id())))
            .on_disconnect(move |peer, reason| {
                left.lock().unwrap().push(format!("left {} {reason:?}", peer.id()));
            })
            .on_client_gone(move |ClientGone { id, .. }| {
                gone.lock().unwrap().push(format!("gone {}", id.as_u128()));
            })
    })
    .await;
    let id = Some(Uuid::from_u128(9));
    let one = both.builder().id(id).connect().await.unwrap();
    until(|| log.lock().unwrap().len() == 1).await;
    let two = both.builder().id(id).connect().await.unwrap();
    until(|| log.lock().unwrap().len() == 2).await;
    one.close().await.unwrap();
    until(|| log.lock().unwrap().len() == 3).await;
    two.close().await.unwrap();
    until(|| log.lock().unwrap().len() == 5).await;
    let told = log.lock().unwrap().clone();
    let expected =
        ["came 1", "came 2", "left 1 PeerClosed", "left 2 PeerClosed", "gone 9"].map(str::to_owned);
    assert_eq!(told, expected);
}

/// A context outlives its call, and does nothing then.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype("both.context")]
struct Keep;

#[handler(group = "both ways")]
async fn keep(_: Keep, State(tell): State<mpsc::UnboundedSender<u32>>, context: Context) {
    tokio::spawn(async move {
        tokio::time::sleep(ms(20)).await;
        tell.send(u32::from(context.is_cancelled())).unwrap();
    });
}

#[tokio::test]
async fn a_context_that_is_kept_is_not_cancelled_by_the_end_of_its_call() {
    let mut both = Both::new().await;
    let client = both.client().await;
    in_time(client.send(&Keep)).await.unwrap();
    assert_eq!(both.hear().await, 0);
}
