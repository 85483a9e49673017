//! Every limit fires, with a reason or an error of its own.

use std::future::Future;
use std::pin::Pin;

use dip::builtin::Pickle;
use dip::codec::PicklePolicy;
use dip::{CallError, CloseReason, Limits, Reason, Router, State, handler};

use super::support::*;
use crate::native::raw::{NOTIFY, PING, REQUEST, Raw, frame as native_frame};

#[handler]
async fn gated(_: Note, State(gate): State<Gate>) {
    gate.pass().await;
}

#[handler(ack = "received")]
async fn early(_: Brief, State(gate): State<Gate>) {
    gate.pass().await;
}

#[handler]
async fn pickle(Pickle(value): Pickle, State(log): State<Log>) {
    log.push(format!("{value:?}"));
}

type Test = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The test of a limit: a limit without one is a failure.
fn test_of(limit: &str) -> Test {
    match limit {
        "max_message" => Box::pin(max_message()),
        "max_builtin_message" => Box::pin(max_builtin_message()),
        "memory" => Box::pin(memory()),
        "calls" => Box::pin(calls()),
        "notify_window" => Box::pin(notify_window()),
        "connections" => Box::pin(connections()),
        "incomplete_connections" => Box::pin(incomplete_connections()),
        "handshake" => Box::pin(handshake()),
        "frame" => Box::pin(a_frame()),
        "progress" => Box::pin(progress()),
        "running_handlers" => Box::pin(running_handlers()),
        "blocking_handlers" => Box::pin(blocking_handlers()),
        "queued_messages" => Box::pin(queued_messages()),
        "handler_cap" => Box::pin(handler_cap()),
        "write" => Box::pin(write()),
        "ping" => Box::pin(ping()),
        "drain" => Box::pin(drain()),
        "pickle" => Box::pin(pickles()),
        other => panic!("the limit `{other}` has no test"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_limit_fires() {
    let tests = Limits::NAMES.iter().map(|name| (name, tokio::spawn(test_of(name))));
    for (name, test) in tests.collect::<Vec<_>>() {
        in_time(test).await.unwrap_or_else(|error| panic!("the limit `{name}`: {error}"));
    }
}

/// Limits that no clock can hold mean that there is none.
#[tokio::test]
async fn the_longest_times_are_no_limits() {
    let never = std::time::Duration::MAX;
    let limits =
        Limits::default().handshake(never).frame(never).handler_cap(never).write(never).ping(never);
    let limits = limits.drain(never).progress(0).queued_messages(usize::MAX);
    let limits = limits.running_handlers(usize::MAX).blocking_handlers(usize::MAX);
    let limits = limits.connections(usize::MAX).memory(usize::MAX);
    let (mut running, gate) = fixture(limits).await;
    gate.open(2);
    let mut client = running.connect().await;
    client.write(&frame(NOTE, "x")[..3]).await;
    client.expect_silence(50).await;
    client.write(&frame(NOTE, "x")[3..]).await;
    assert_eq!(client.reply().await, "ok");
    assert_eq!(client.ask(BRIEF, "x").await, "ok");
    running.server.shutdown();
    running.ended().await.unwrap();
}

async fn fixture(limits: Limits) -> (Running, Gate) {
    let gate = Gate::closed();
    let router = Router::new().handler(gated).handler(early).handler(pickle);
    let running = serve_with(|builder| {
        builder.router(router).state(gate.clone()).state(Log::default()).limits(limits)
    })
    .await;
    (running, gate)
}

async fn closed(running: &Running, reason: CloseReason, count: u64) {
    until(|| running.server.stats().closed(reason) == count).await;
    let closed = running.server.stats().closed;
    assert!(closed.iter().all(|(other, _)| *other == reason), "only {reason:?}: {closed:?}");
}

async fn max_message() {
    let (running, gate) = fixture(Limits::default().max_message("2 KiB")).await;
    gate.open(1);
    let mut client = running.connect().await;
    assert_eq!(client.ask(NOTE, "x".repeat(2048)).await, "ok");
    let reply = client.ask(NOTE, "x".repeat(2049)).await;
    let text = "ValueError('a message 0x90 has at most 2048 bytes here, this one has 2049')";
    assert_eq!(reply, text);
    assert_eq!(client.rest().await, "");
    closed(&running, CloseReason::TooLarge, 1).await;
}

async fn max_builtin_message() {
    let (running, _) = fixture(Limits::default().max_builtin_message("2 KiB")).await;
    let mut client = running.connect().await;
    assert_eq!(client.ask(b'O', "x".repeat(2048)).await, "ok");
    assert!(client.ask(b'O', "x".repeat(2049)).await.starts_with("ValueError("));
    assert_eq!(client.ask(b'O', "x").await, "ok", "shorter than the longest message of all");
}

async fn memory() {
    let (running, gate) = fixture(Limits::default().memory("1 MiB")).await;
    let mut client = running.connect().await;
    client.write(&frame(NOTE, vec![b'x'; 3 << 20])[..2 << 20]).await;
    assert_eq!(client.rest().await, "ConnectionError('the server holds as many bytes as it may')");
    closed(&running, CloseReason::OutOfMemory, 1).await;
    gate.open(1);
    let mut client = running.connect().await;
    assert_eq!(client.ask(NOTE, vec![b'x'; 300 << 10]).await, "ok", "what was held is given back");
}

async fn calls() {
    let (running, gate) = fixture(Limits::default().calls(2)).await;
    let note = |text: &str| Note(text.into());
    let client = dip::Client::connect(running.path()).await.unwrap();
    let held = [client.send(&note("a")), client.send(&note("b"))].map(tokio::spawn);
    until(|| running.server.stats().of(dip::Mtype::byte(NOTE)).unwrap().in_flight == 2).await;
    let third = client.send(&note("c")).timeout(ms(100)).await;
    assert!(matches!(third, Err(CallError::Deadline { sent: false })), "{third:?}");
    gate.open(3);
    for call in held {
        in_time(call).await.unwrap().unwrap();
    }
    in_time(client.send(&note("d"))).await.unwrap();

    // Whoever does not wait for a permit is not served.
    let mut greedy = Raw::connect(running.path()).await;
    for call in [1, 3, 5] {
        greedy.write(&native_frame(REQUEST, call, NOTE.into(), b"x")).await;
    }
    greedy.rest().await;
    until(|| running.server.stats().closed(CloseReason::Violation) == 1).await;
}

async fn notify_window() {
    let (running, gate) = fixture(Limits::default().notify_window(2)).await;
    let note = |text: &str| Note(text.into());
    let client = dip::Client::connect(running.path()).await.unwrap();
    for text in ["a", "b"] {
        in_time(client.notify(&note(text))).await.unwrap();
    }
    let third = client.notify(&note("c")).timeout(ms(100)).await;
    assert!(matches!(third, Err(CallError::NotSent(Reason::SlowPeer))), "{third:?}");
    gate.open(3);
    in_time(client.notify(&note("d"))).await.unwrap();

    // Whoever does not wait for credit is not served.
    let mut greedy = Raw::connect(running.path()).await;
    greedy.write(&native_frame(NOTIFY, 0, NOTE.into(), b"x").repeat(3)).await;
    greedy.rest().await;
    until(|| running.server.stats().closed(CloseReason::Violation) == 1).await;
}

async fn connections() {
    let (running, gate) = fixture(Limits::default().connections(2)).await;
    gate.open(9);
    let (mut one, mut two) = (running.connect().await, running.connect().await);
    assert_eq!((one.ask(NOTE, "").await, two.ask(NOTE, "").await), ("ok".into(), "ok".into()));
    let mut third = running.connect().await;
    assert_eq!(third.rest().await, "ConnectionError('too many connections')");
    closed(&running, CloseReason::TooMany, 1).await;
    drop(one);
    until(|| running.server.stats().connections == 1).await;
    let mut fourth = running.connect().await;
    assert_eq!(fourth.ask(NOTE, "").await, "ok");
}

async fn incomplete_connections() {
    let (running, _) = fixture(Limits::default().incomplete_connections(2)).await;
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(running.connect().await);
        let accepted = silent.len() as u64;
        until(|| running.server.stats().accepted == accepted).await;
    }
    silent[2].write(b"O\0").await;
    assert_eq!(silent[0].rest().await, "ConnectionError('too many connections say nothing')");
    closed(&running, CloseReason::Evicted, 1).await;
}

async fn handshake() {
    let (running, _) = fixture(Limits::default().handshake(ms(200))).await;
    let mut client = running.connect().await;
    client.write(b"O\0\0").await;
    assert_eq!(client.rest().await, "ConnectionError('no frame in time')");
    closed(&running, CloseReason::HandshakeTimeout, 1).await;
}

async fn a_frame() {
    let (running, gate) = fixture(Limits::default().frame(ms(300))).await;
    let mut client = running.connect().await;
    client.write(&frame(NOTE, "slow")).await;
    client.write(&frame(NOTE, "half")[..6]).await;
    client.expect_silence(600).await;
    gate.open(1);
    let said = client.rest().await;
    let last_word = "ConnectionError('the frame took too long')";
    assert_eq!(said, format!("ok{last_word}"), "the reply that was due comes first");
    closed(&running, CloseReason::FrameTimeout, 1).await;
}

async fn progress() {
    let (running, _) = fixture(Limits::default().progress("1 MiB").handshake(ms(60_000))).await;
    let mut client = running.connect().await;
    client.write(&frame(NOTE, vec![b'x'; 1 << 20])[..1000]).await;
    assert_eq!(client.rest().await, "ConnectionError('the frame came too slowly')");
    closed(&running, CloseReason::TooSlow, 1).await;
}

async fn running_handlers() {
    let (running, gate) = fixture(Limits::default().running_handlers(1)).await;
    let (mut one, mut two) = (running.connect().await, running.connect().await);
    one.send(NOTE, "").await;
    until(|| running.server.stats().of(dip::Mtype::byte(NOTE)).unwrap().in_flight == 1).await;
    let full = "ConnectionError('the server runs as many handlers as it may')";
    assert_eq!(two.ask(NOTE, "").await, full);
    gate.open(2);
    assert_eq!(one.reply().await, "ok");
    assert_eq!(two.ask(NOTE, "").await, "ok");
}

/// See `blocking::no_more_of_them_run_at_once_than_the_limit_says`.
async fn blocking_handlers() {}

/// See `ordering::acknowledged_messages_that_wait_are_as_many_as_the_limit_says`. Here: their bytes
/// count as memory.
async fn queued_messages() {
    #[handler(ack = "received")]
    async fn kept(_: Note, State(gate): State<Gate>) {
        gate.pass().await;
    }
    let gate = Gate::closed();
    let limits = Limits::default().memory("1 MiB").queued_messages(100);
    let router = Router::new().handler(kept);
    let running =
        serve_with(|builder| builder.router(router).state(gate.clone()).limits(limits)).await;
    let mut client = running.connect().await;
    let mut replies = Vec::new();
    for _ in 0..5 {
        replies.push(client.ask(NOTE, vec![b'x'; 250 << 10]).await);
    }
    assert_eq!(replies[0], "ok");
    assert!(replies[4].contains("as many bytes as it may"), "{replies:?}");
}

async fn handler_cap() {
    let (running, gate) = fixture(Limits::default().handler_cap(ms(200))).await;
    let mut client = running.connect().await;
    let stopped = "TimeoutError('the handler was stopped after 200ms')";
    assert_eq!(client.ask(NOTE, "").await, stopped);
    assert_eq!(client.ask(BRIEF, "").await, "ok");
    let of_brief = || running.server.stats().of(dip::Mtype::byte(BRIEF)).unwrap().clone();
    until(|| of_brief().in_flight == 0).await;
    assert_eq!(of_brief().errors, 1, "also one that nobody waits for");
    gate.open(1);
    assert_eq!(client.ask(NOTE, "").await, "ok");
}

async fn write() {
    let (running, _) = fixture(Limits::default().write(ms(200))).await;
    let mut client = running.connect().await;
    let frames = frame(b'O', b"\xff").repeat(100);
    while tokio::io::AsyncWriteExt::write_all(&mut client.0, &frames).await.is_ok() {}
    closed(&running, CloseReason::SlowConsumer, 1).await;
}

/// See `native::silence` for whom it does not close.
async fn ping() {
    let (server, address) = crate::native::silence::asking().await;
    let mut silent = crate::native::silence::connect(&address).await;
    for _ in 0..2 {
        silent.next_of(PING).await;
    }
    silent.rest().await;
    until(|| server.stats().closed(CloseReason::Silent) == 1).await;
}

async fn drain() {
    let (mut running, _) = fixture(Limits::default().drain(ms(200))).await;
    let mut client = running.connect().await;
    client.send(NOTE, "").await;
    until(|| running.server.stats().of(dip::Mtype::byte(NOTE)).unwrap().in_flight == 1).await;
    running.server.shutdown();
    running.ended().await.unwrap();
    assert_eq!(
        client.rest().await,
        "ConnectionError('the server stopped before the handler had ended')"
    );
    closed(&running, CloseReason::ShuttingDown, 1).await;
}

async fn pickles() {
    // collections.OrderedDict()
    let body = b"\x80\x04\x8c\x0bcollections\x8c\x0bOrderedDict\x93)R.";
    let (running, _) = fixture(Limits::default()).await;
    let reply = running.connect().await.ask(b'P', body).await;
    assert!(reply.starts_with("UnpicklingError("), "{reply}");
    let (running, _) = fixture(Limits::default().pickle(PicklePolicy::inert())).await;
    assert_eq!(running.connect().await.ask(b'P', body).await, "ok");
}
