//! What handlers take besides their message.

use std::time::{Duration, Instant};

use dip::{
    Context, FromContext, Limits, Peer, Rejection, Router, Server, State, StateType, handler,
};
use uuid::Uuid;

use super::support::*;

#[handler]
async fn peer(_: Note, peer: Peer, State(log): State<Log>) {
    let id = peer.client_id().map_or("none".to_owned(), |id| id.to_string());
    log.push(format!("{} {id} {:?} {:?}", peer.id(), peer.uid(), peer.pid()));
}

#[tokio::test]
async fn a_peer_is_numbered_and_has_the_id_that_it_last_claimed() {
    let log = Log::default();
    let router = Router::new().handler(peer);
    let running = serve_with(|builder| builder.router(router).state(log.clone())).await;
    let (mut one, mut two) = (running.connect().await, running.connect().await);
    let [a, b] = [Uuid::from_u128(0xa), Uuid::from_u128(0xb)];
    assert_eq!(one.ask(NOTE, "").await, "ok");
    assert_eq!(one.ask(0x1d, a.as_bytes()).await, "ok");
    assert_eq!(one.ask(NOTE, "").await, "ok");
    assert_eq!(one.ask(0x1d, b"bad").await, "ValueError('bytes is not a 16-char string')");
    assert_eq!(one.ask(NOTE, "").await, "ok");
    assert_eq!(one.ask(0x1d, b.as_bytes()).await, "ok");
    assert_eq!(one.ask(NOTE, "").await, "ok");
    assert_eq!(two.ask(0x1d, a.as_bytes()).await, "ok");
    assert_eq!(two.ask(NOTE, "").await, "ok");
    let uid = rustix::process::getuid().as_raw();
    let who = format!("Some({uid}) Some({})", std::process::id());
    let (a, b) = (a.to_string(), b.to_string());
    let expected = [("1", "none"), ("1", &*a), ("1", &*a), ("1", &*b), ("2", &*a)];
    assert_eq!(log.all(), expected.map(|(number, id)| format!("{number} {id} {who}")));
}

#[handler]
async fn context(_: Note, context: Context, server: Server, State(log): State<Log>) {
    let left = context.deadline() - Instant::now();
    assert!(left > Duration::from_secs(50) && left <= Duration::from_secs(60));
    assert_eq!(context.peer().id(), context.extract::<Peer>().unwrap().id());
    log.push(format!("{} {}", context.mtype(), server.stats().accepted));
}

#[tokio::test]
async fn the_context_tells_type_and_deadline_and_leads_to_the_server() {
    let log = Log::default();
    let limits = Limits::default().handler_cap(Duration::from_secs(60));
    let router = Router::new().handler(context);
    let running =
        serve_with(|builder| builder.router(router).state(log.clone()).limits(limits)).await;
    assert_eq!(running.connect().await.ask(NOTE, "").await, "ok");
    assert_eq!(log.all(), ["0x90 1"]);
}

/// The client that a message comes from, for those that have said who they are.
struct Known(Uuid);

impl FromContext for Known {
    const NEEDS: &'static [StateType] = State::<Log>::NEEDS;

    fn from_context(context: &Context) -> Result<Self, Rejection> {
        let State(log) = context.extract::<State<Log>>()?;
        log.push("extracted");
        let id = context.peer().client_id();
        id.map(Known).ok_or_else(|| Rejection::named("PermissionError", "who are you?"))
    }
}

#[handler]
async fn known(_: Note, Known(id): Known, State(log): State<Log>) {
    log.push(id.to_string());
}

#[tokio::test]
async fn an_extractor_of_ones_own_can_reject_a_message() {
    let log = Log::default();
    let router = Router::new().handler(known);
    let running = serve_with(|builder| builder.router(router).state(log.clone())).await;
    let mut client = running.connect().await;
    assert_eq!(client.ask(NOTE, "").await, "PermissionError('who are you?')");
    assert_eq!(client.ask(0x1d, [0; 16]).await, "ok");
    assert_eq!(client.ask(NOTE, "").await, "ok");
    assert_eq!(log.all(), ["extracted", "extracted", &Uuid::nil().to_string()]);
}

/// What it holds panics, wherever that is.
struct Trap;

impl FromContext for Trap {
    fn from_context(_: &Context) -> Result<Self, Rejection> {
        std::panic::resume_unwind(Box::new("in an extractor"))
    }
}

#[handler]
async fn trapped(_: Note, _trap: Trap) {}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            std::panic::resume_unwind(Box::new("in a drop"));
        }
    }
}

impl FromContext for Bomb {
    fn from_context(_: &Context) -> Result<Self, Rejection> {
        Ok(Self)
    }
}

#[handler]
async fn dropped(_: Brief, _bomb: Bomb) {}

#[tokio::test]
async fn a_panic_outside_the_handler_is_an_error_too() {
    let running = serve(Router::new().handler(trapped).handler(dropped)).await;
    let mut client = running.connect().await;
    for mtype in [NOTE, BRIEF, NOTE] {
        assert_eq!(client.ask(mtype, "").await, "RuntimeError('the handler panicked')");
    }
    assert_eq!(client.ask(b'O', "").await, "ok");
}
