//! What comes back, and when.

use dip::builtin::Stdout;
use dip::{Protocol, Rejection, Router, State, handler};
use serde::{Deserialize, Serialize};

use super::support::*;

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(0x92)]
#[protocol(codec = json, reply = i64, error = Overflow)]
struct Add {
    a: i64,
    b: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Overflow {
    by: String,
}

impl std::fmt::Display for Overflow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "too large by '{}'", self.by)
    }
}

impl std::error::Error for Overflow {}

#[handler]
async fn add(Add { a, b }: Add) -> Result<i64, Overflow> {
    a.checked_add(b).ok_or(Overflow { by: "far".into() })
}

#[handler]
async fn gated(_: Note, State(gate): State<Gate>) {
    gate.pass().await;
}

/// Ends as its text says.
#[handler]
async fn outcome(Note(text): Note) -> Result<(), Rejection> {
    match text.as_str() {
        "named" => Err(Rejection::named("KeyError", "it's")),
        "std" => Err("x".parse::<u32>().unwrap_err().into()),
        "panic" => std::panic::resume_unwind(Box::new("secret")),
        "ok" => Err(Rejection::named("ok", "")),
        "long" => Err(Rejection::named("ValueError", "€".repeat(1 << 20))),
        _ => Ok(()),
    }
}

#[tokio::test]
async fn ok_comes_after_the_handler_has_returned() {
    let gate = Gate::closed();
    let router = Router::new().handler(gated);
    let running = serve_with(|builder| builder.router(router).state(gate.clone())).await;
    let mut client = running.connect().await;
    client.send(NOTE, "wait").await;
    client.expect_silence(100).await;
    gate.open(1);
    assert_eq!(client.reply().await, "ok");
}

#[tokio::test]
async fn errors_are_printed_as_python_prints_exceptions() {
    let running = serve(Router::new().handler(outcome).handler(add)).await;
    let mut client = running.connect().await;
    for (text, reply) in [
        ("named", "KeyError(\"it's\")"),
        ("std", "ParseIntError('invalid digit found in string')"),
        ("panic", "RuntimeError('the handler panicked')"),
        ("ok", "ok('')"),
        ("fine", "ok"),
    ] {
        assert_eq!(client.ask(NOTE, text).await, reply, "{text}");
    }
    let declared = client.ask(0x92, format!(r#"{{"a":{},"b":1}}"#, i64::MAX)).await;
    assert_eq!(declared, "Overflow(\"too large by 'far'\")");
    assert_eq!(client.ask(0x92, r#"{"a":1,"b":2}"#).await, "ok", "the classic wire has no replies");
}

#[tokio::test]
async fn an_error_text_has_at_most_a_kibibyte() {
    let running = serve(Router::new().handler(outcome)).await;
    let mut client = running.connect().await;
    let reply = client.ask(NOTE, "long").await;
    assert!(reply.len() <= 1024 && reply.starts_with("ValueError('€€€") && reply.ends_with("€')"));
    assert_eq!(client.ask(NOTE, "fine").await, "ok");
}

#[tokio::test]
async fn a_body_that_does_not_decode_is_an_error_and_the_connection_goes_on() {
    let running = serve(Router::new().handler(outcome).handler(add)).await;
    let mut client = running.connect().await;
    assert!(client.ask(NOTE, b"\xff\xfe").await.starts_with("UnicodeDecodeError("));
    assert!(client.ask(0x92, "{").await.starts_with("JSONDecodeError("));
    assert!(client.ask(b'J', "[1,").await.starts_with("JSONDecodeError("), "nobody takes it");
    assert!(client.ask(b'D', b"\0").await.starts_with("error("));
    assert_eq!(client.ask(0x1d, "short").await, "ValueError('bytes is not a 16-char string')");
    assert_eq!(client.ask(NOTE, "fine").await, "ok");
}

#[handler]
async fn text_is_empty(Stdout(text): Stdout) -> Result<(), Rejection> {
    if text.is_empty() { Ok(()) } else { Err(Rejection::named("ValueError", text)) }
}

#[tokio::test]
async fn empty_bodies_are_answered() {
    let running = serve(Router::new().handler(text_is_empty).handler(outcome)).await;
    let mut client = running.connect().await;
    for mtype in [b'O', NOTE, b'E', b'D', b'H', b'U', b'I'] {
        assert_eq!(client.ask(mtype, "").await, "ok", "{mtype}");
    }
    assert_eq!(client.ask(b'Z', "").await, unknown(b'Z'));
    assert!(client.ask(b'P', "").await.starts_with("EOFError("));
    assert_eq!(client.ask(NOTE, "").await, "ok");
}

#[tokio::test]
async fn a_thousand_frames_in_one_write_have_one_reply_each() {
    let running = serve(Router::new().handler(outcome)).await;
    let mut client = running.connect().await;
    let texts = ["fine", "named", "fine"];
    let frames = (0..1000).flat_map(|i| frame(NOTE, texts[i % 3])).collect::<Vec<_>>();
    let replies = ["ok", "KeyError(\"it's\")", "ok"];
    let replies = (0..1000).map(|i| replies[i % 3]).collect::<String>();
    client.write(&frames).await;
    client.expect(&replies).await;
    client.expect_silence(50).await;
}

#[tokio::test]
async fn a_frame_may_come_byte_by_byte() {
    let running = serve(Router::new().handler(outcome)).await;
    let mut client = running.connect().await;
    for text in ["fine", "named", ""] {
        for byte in frame(NOTE, text) {
            client.write(&[byte]).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(client.reply().await, if text == "named" { "KeyError(\"it's\")" } else { "ok" });
    }
}

#[tokio::test]
async fn a_burst_larger_than_every_buffer_keeps_one_reply_each() {
    let running = serve(Router::new().handler(outcome)).await;
    let mut client = running.connect().await;
    let frames = (0..4000).flat_map(|_| frame(NOTE, "x".repeat(1000))).collect::<Vec<_>>();
    let (mut reader, mut writer) = client.0.split();
    let write = tokio::io::AsyncWriteExt::write_all(&mut writer, &frames);
    let mut replies = vec![0; 8000];
    let read = tokio::io::AsyncReadExt::read_exact(&mut reader, &mut replies);
    let (written, read) = in_time(async { tokio::join!(write, read) }).await;
    assert!(written.is_ok() && read.is_ok());
    assert_eq!(replies, b"ok".repeat(4000));
}
