//! Which handler gets a message, and what happens to messages that have none.

use dip::builtin::{Any, Json, Stderr, Stdout};
use dip::{Error, Mtype, Protocol, Router, Server, State, Unhandled, Unrouted, handler};

use super::support::*;

#[handler]
async fn note(Note(text): Note, State(log): State<Log>) {
    log.push(format!("note {text}"));
}

#[handler]
async fn note_again(_: Note) {}

#[handler]
async fn any(message: Any, State(log): State<Log>) {
    match message {
        Any::Stdout(Stdout(text)) => log.push(format!("any O {text}")),
        Any::Json(Json(value)) => log.push(format!("any J {value:?}")),
        Any::Other(Unrouted { mtype, body, .. }) => log.push(format!("any {mtype} {}", body.len())),
        other => log.push(format!("any {other:?}")),
    }
}

#[handler(fallback)]
async fn rest(message: Unrouted, State(log): State<Log>) {
    log.push(format!("rest {} {:?}", message.mtype, message.body));
}

#[handler]
async fn err(_: Stderr, State(log): State<Log>) {
    log.push("err");
}

#[handler]
async fn set_id(_: dip::builtin::SetConnectionId) {}

async fn fixture(router: Router) -> (Running, Client, Log) {
    let log = Log::default();
    let running = serve_with(|builder| builder.router(router).state(log.clone())).await;
    let client = running.connect().await;
    (running, client, log)
}

#[tokio::test]
async fn an_unknown_type_is_answered_with_the_text_of_the_python_package() {
    let (_running, mut client, log) = fixture(Router::new().handler(note)).await;
    // The first frame of a connection would open the native wire.
    assert_eq!(client.ask(0, "x").await, unknown(0));
    let reply = client.ask(5, "dip\0\x01\x01\0\0").await;
    assert_eq!(reply.len(), 74, "what a native client expects from a classic server");
    assert_eq!(reply, "UnsupportedProtoError('No protocol found in registry for message type: 5')");
    assert_eq!(client.ask(255, "x").await, unknown(255));
    assert_eq!(client.ask(NOTE, "x").await, "ok");
    assert_eq!(log.all(), ["note x"]);
}

#[tokio::test]
async fn a_fallback_gets_what_has_no_handler_but_never_the_opening_of_the_native_wire() {
    let (_running, mut client, log) = fixture(Router::new().handler(note).handler(rest)).await;
    assert_eq!(client.ask(6, "dip\0").await, unknown(6));
    assert_eq!(client.ask(5, "dip\0").await, unknown(5));
    for (mtype, body) in [(NOTE, "a"), (b'J', "[1"), (b'Z', "z"), (BRIEF, "b")] {
        assert_eq!(client.ask(mtype, body).await, "ok");
    }
    assert_eq!(log.all(), ["note a", "rest 'J' b\"[1\"", "rest 'Z' b\"z\"", "rest 0x91 b\"b\""]);
}

#[tokio::test]
async fn one_handler_takes_any_message() {
    let (_running, mut client, log) = fixture(Router::new().handler(any).handler(err)).await;
    for (mtype, body) in [(b'O', "out"), (b'E', "err"), (b'J', "null"), (b'Z', "zz"), (NOTE, "n")] {
        assert_eq!(client.ask(mtype, body).await, "ok");
    }
    assert!(client.ask(b'J', "{").await.starts_with("JSONDecodeError("));
    assert_eq!(client.ask(5, "").await, unknown(5));
    assert_eq!(log.all(), ["any O out", "err", "any J Null", "any 'Z' 2", "any 0x90 1"]);
}

#[tokio::test]
async fn beside_any_a_fallback_takes_what_is_not_built_in() {
    let (_running, mut client, log) = fixture(Router::new().handler(any).handler(rest)).await;
    for (mtype, body) in [(b'O', "out"), (b'Z', "zz")] {
        assert_eq!(client.ask(mtype, body).await, "ok");
    }
    assert_eq!(log.all(), ["any O out", "rest 'Z' b\"zz\""]);
}

#[tokio::test]
async fn built_in_messages_without_a_handler_are_acknowledged_and_counted() {
    let (running, mut client, _log) = fixture(Router::new().handler(note)).await;
    for (mtype, body) in [(b'O', "out"), (b'J', "[1, NaN]"), (b'O', "more")] {
        assert_eq!(client.ask(mtype, body).await, "ok");
    }
    let stats = running.server.stats();
    assert_eq!(stats.of(Mtype::byte(b'O')).unwrap().unhandled, 2);
    assert_eq!(stats.of(Mtype::byte(b'J')).unwrap().unhandled, 1);
    assert_eq!(stats.of(Mtype::byte(b'E')).unwrap().unhandled, 0);
}

#[tokio::test]
async fn built_in_messages_without_a_handler_can_be_rejected() {
    let router = Router::new().handler(err);
    let running = serve_with(|builder| {
        builder.router(router).state(Log::default()).unhandled(Unhandled::Reject)
    })
    .await;
    let mut client = running.connect().await;
    let reply = client.ask(b'O', "out").await;
    assert_eq!(reply, "UnsupportedProtoError(\"nobody handles messages of type 'O'\")");
    assert_eq!(client.ask(b'E', "err").await, "ok");
    let id = [7; 16];
    assert_eq!(client.ask(0x1d, id).await, "ok", "the server handles it itself");
}

#[tokio::test]
async fn a_custom_type_without_a_handler_is_an_error() {
    let (_running, mut client, _log) = fixture(Router::new().handler(note)).await;
    let reply = client.ask(BRIEF, "x").await;
    assert_eq!(reply, "UnsupportedProtoError('nobody handles messages of type 0x91')");
    assert_eq!(client.ask(NOTE, "x").await, "ok");
}

#[tokio::test]
async fn everything_wrong_with_a_program_is_reported_at_start() {
    async fn plain(_: Note) {}
    let router = Router::new().handler(note).handler(note_again).handler(plain).handler(set_id);
    let builder = Server::builder("/nowhere/to/be/found").router(router);
    let error = builder.state(1_u8).state(2_u8).bind().await.unwrap_err();
    let report = format!("{error:?}");
    let Error::Startup(faults) = error else { panic!("{report}") };
    for part in [
        "two values of state `u8`",
        "two handlers for",
        "State<",
        "is not a handler",
        "would never run",
    ] {
        assert!(report.contains(part), "{part} in {report}");
    }
    assert_eq!(faults.len(), 5, "{report}");
    assert!(faults.iter().all(|fault| fault.location().unwrap().file().ends_with(".rs")));
}

#[tokio::test]
async fn the_macro_takes_every_key_of_the_builder() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (log, other) = (Log::default(), log_path(&path));
    let served = dip::serve!(
        other,
        router = Router::new().handler(note),
        state = log.clone(),
        state = Gate::closed(),
        limits = dip::Limits::default().max_message("1 KiB").connections(3),
        access = dip::Access::same_uid(),
        trust_directory = true,
        insecure_no_auth = false,
        unhandled = Unhandled::Reject,
        link = [dip_tests],
        shutdown = async move { _ = stopped.await },
    );
    let served = tokio::spawn(served);
    until(|| path.exists()).await;
    let mut client = Client::connect(&path).await;
    assert_eq!(client.ask(NOTE, "hi").await, "ok");
    assert!(client.ask(NOTE, "x".repeat(1025)).await.starts_with("ValueError("));
    assert_eq!(log.all(), ["note hi"]);
    stop.send(()).unwrap();
    in_time(served).await.unwrap().unwrap();
    assert!(!path.exists());
}

/// An address may be anything that is one.
fn log_path(path: &std::path::Path) -> String {
    format!("unix:{}", path.display())
}

#[test]
fn the_messages_of_these_tests_have_the_types_they_are_sent_under() {
    assert_eq!((Note::MTYPE, Brief::MTYPE), (Mtype::byte(NOTE), Mtype::byte(BRIEF)));
}
