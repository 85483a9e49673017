//! What a server counts, and what it tells a log.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use dip::{CloseReason, Mtype, Rejection, Router, State, handler};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::support::*;

#[handler]
async fn note(Note(text): Note, State(gate): State<Gate>) -> Result<(), Rejection> {
    gate.pass().await;
    if text.contains("bad") { Err(Rejection::named("ValueError", "no")) } else { Ok(()) }
}

async fn fixture(open: usize) -> (Running, Gate) {
    let gate = Gate::closed();
    gate.open(open);
    let router = Router::new().handler(note);
    (serve_with(|builder| builder.router(router).state(gate.clone())).await, gate)
}

#[tokio::test]
async fn messages_are_counted_by_type_and_outcome() {
    let (running, gate) = fixture(0).await;
    let mut client = running.connect().await;
    let of = |mtype| running.server.stats().of(Mtype::byte(mtype)).unwrap().clone();
    client.send(NOTE, "x").await;
    until(|| of(NOTE).in_flight == 1).await;
    assert_eq!((of(NOTE).count, of(NOTE).errors), (1, 0));
    gate.open(9);
    assert_eq!(client.reply().await, "ok");
    client.ask(NOTE, "bad").await;
    client.ask(NOTE, b"\xff").await;
    client.ask(0x1d, [0; 16]).await;
    client.ask(0x1d, "short").await;
    client.ask(b'O', "x").await;
    client.ask(b'Z', "x").await;
    client.ask(BRIEF, "x".repeat(2000)).await;
    assert_eq!((of(NOTE).count, of(NOTE).errors, of(NOTE).in_flight), (3, 2, 0));
    assert_eq!((of(0x1d).count, of(0x1d).errors), (2, 1));
    assert_eq!((of(b'O').count, of(b'O').errors, of(b'O').unhandled), (1, 0, 1));
    assert_eq!((of(BRIEF).count, of(BRIEF).errors), (1, 1));
    assert_eq!(of(NOTE).name, std::any::type_name::<Note>());
    let stats = running.server.stats();
    assert_eq!((stats.unknown, stats.late_replies), (1, 0));
    assert!(stats.of(Mtype::byte(b'Z')).is_none());
}

#[tokio::test]
async fn connections_are_counted_by_how_they_ended() {
    let (running, _) = fixture(9).await;
    let mut client = running.connect().await;
    client.ask(NOTE, "").await;
    let stats = running.server.stats();
    assert_eq!((stats.connections, stats.accepted), (1, 1));
    assert!(stats.closed.is_empty());
    drop(client);
    until(|| running.server.stats().connections == 0).await;
    let stats = running.server.stats();
    assert_eq!((stats.accepted, stats.closed(CloseReason::PeerClosed)), (1, 1));
    assert_eq!(stats.closed, [(CloseReason::PeerClosed, 1)]);
}

/// Events as lines: `target: field=value …`.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<(String, Vec<&'static str>, String)>>>);

struct Text(Vec<&'static str>, String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.push(field.name());
        write!(self.1, "{}={value:?} ", field.name()).unwrap();
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("dip")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(Vec::new(), String::new());
        event.record(&mut text);
        let target = event.metadata().target().to_owned();
        self.0.lock().unwrap().push((target, text.0, text.1));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn each_message_is_one_event_with_fixed_fields_and_nothing_shows_a_body() {
    let lines = Lines::default();
    let _subscribed = tracing::subscriber::set_default(lines.clone());
    let (running, gate) = fixture(2).await;
    let mut client = running.connect().await;
    for (mtype, body) in [
        (NOTE, "hunter2"),
        (NOTE, "bad hunter2"),
        (b'O', "hunter2"),
        (b'J', "hunter2"),
        (b'Z', "hunter2"),
        (0x1d, "hunter2"),
    ] {
        client.ask(mtype, body).await;
    }
    client.send(NOTE, "hunter2").await;
    client.expect_silence(600).await;
    client.send(b'O', "hunter2").await;
    client.expect_silence(50).await;
    gate.open(1);
    assert_eq!(client.reply().await, "ok");
    client.write(b"Ohunter2").await;
    drop(client);
    until(|| running.server.stats().connections == 0).await;

    let lines = lines.0.lock().unwrap();
    for (target, _, line) in lines.iter() {
        assert!(!line.contains("hunter2"), "{target}: {line}");
    }
    let messages: Vec<_> = lines.iter().filter(|line| line.0 == "dip::message").collect();
    let fields = ["peer", "mtype", "name", "bytes", "took", "outcome"];
    for (_, names, line) in &messages {
        assert_eq!(names, &fields, "{line}");
    }
    let outcome = |line: &str| line.split("outcome=").nth(1).unwrap().trim().to_owned();
    let outcomes: Vec<_> = messages.iter().map(|(_, _, line)| outcome(line)).collect();
    let expected = [
        "ok",
        "ValueError",
        "ok",
        "JSONDecodeError",
        "UnsupportedProtoError",
        "ValueError",
        "late",
        "ok",
        "UnsupportedProtoError",
    ];
    assert_eq!(outcomes[..8], expected.map(|outcome| format!("{outcome:?}"))[..8]);
    assert!(messages[0].2.contains("mtype=144") && messages[0].2.contains("Note"));
    assert!(messages[0].2.contains("bytes=7"));
    assert!(lines.iter().any(|line| line.2.contains("given up")), "a late reply is warned of");
}
