//! What is refused before anything is written.

use dip::builtin::{Dict, Json, Stdout};
use dip::codec::{Text, Unit};
use dip::{Mtype, Once, Protocol, Reason, Value};

use super::*;

struct Short(String);

impl dip::codec::Newtype for Short {
    type Inner = String;

    fn wrap(inner: String) -> Self {
        Self(inner)
    }

    fn inner(&self) -> &String {
        &self.0
    }
}

impl Protocol for Short {
    const MTYPE: Mtype = Mtype::byte(0xf1);
    const MAX_LEN: Option<u32> = Some(4);
    const DEADLINE: Option<Duration> = Some(SOON);
    type Codec = Text;
    type Reply = ();
    type Error = NoError;
    type ReplyCodec = Unit;
    type Shape = Once;
}

/// A client whose server counts connections and says `E(mtype)`.
async fn client() -> (Script, Client) {
    let script = Script::new(|_, mut line| async move {
        line.greet().await;
        let (mtype, _) = line.frame().await.unwrap();
        line.say(format!("E({mtype})")).await;
        line.closed().await;
    });
    let client = connect(&script).await;
    (script, client)
}

async fn not_sent(sent: impl Future<Output = Sent>) -> Reason {
    match sent.await.unwrap_err() {
        CallError::NotSent(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn refusals_leave_the_connection_as_it_was() {
    let (script, client) = client().await;
    for empty in
        [client.send_raw(b'J', ""), client.send(&Stdout(String::new())), client.send(&Dict {})]
    {
        assert!(matches!(not_sent(empty).await, Reason::EmptyBody));
    }
    let named = not_sent(client.send_raw(Mtype::name("jobs.tail"), "x")).await;
    assert!(matches!(named, Reason::NotSupported(_)), "{named}");
    let long = not_sent(client.send(&Short("12345".into()))).await;
    assert!(matches!(long, Reason::TooLarge { size: 5, limit: 4 }), "{long}");
    let unencodable = not_sent(client.send(&Json(Value::Bytes(vec![1])))).await;
    assert!(matches!(unencodable, Reason::Encode(_)), "{unencodable}");

    // The first thing that the server gets is this.
    assert_eq!(text_of(client.send(&Short("1234".into())).await), "E(241)");
    assert_eq!(script.accepted(), 1);
}

#[tokio::test]
async fn empty_values_that_have_a_body_are_sent() {
    let script = Script::replying(|body| if body == b"\"\"" { b"ok".into() } else { b"no".into() });
    let client = connect(&script).await;
    client.send_json("").await.unwrap();
}

#[tokio::test]
async fn json_is_written_as_python_writes_it() {
    let script = Script::replying(|body| [b"E", body].concat());
    let client = connect(&script).await;
    let value = serde_json::json!({"a": [1, 2.5, null], "b": "错"});
    let written = r#"E{"a": [1, 2.5, null], "b": "错"}"#;
    assert_eq!(text_of(client.send_json(&value).await), written);
    assert_eq!(text_of(client.send(&Json(value)).await), written);
}

#[tokio::test]
async fn nothing_is_sent_before_the_first_poll() {
    let (script, client) = client().await;
    drop(client.send_raw(b'O', "x"));
    let later = client.send_raw(b'P', "x").timeout(SOON);
    tokio::time::sleep(SOON * 2).await;
    assert_eq!(text_of(later.await), "E(80)");
    assert_eq!(script.accepted(), 1);
}

#[tokio::test]
async fn a_type_may_declare_its_time_and_a_message_may_have_its_own() {
    let script = Script::new(|_, mut line| async move {
        line.greet().await;
        line.closed().await;
    });
    let client = connect(&script).await;
    for (sending, time) in [
        (client.send(&Short("x".into())), SOON),
        (client.send(&Short("x".into())).timeout(SOON * 3), SOON * 3),
        (client.send_raw(b'O', "x").timeout(SOON), SOON),
        (client.send_raw(b'O', "x").timeout(Duration::ZERO), Duration::ZERO),
    ] {
        let begun = std::time::Instant::now();
        assert!(matches!(sending.await, Err(CallError::Deadline { .. })));
        assert!((time..time + SOON * 10).contains(&begun.elapsed()));
    }
    let endless = client.send_raw(b'O', "x").timeout(Duration::MAX);
    assert!(tokio::time::timeout(SOON, endless).await.is_err());
}

#[tokio::test]
async fn futures_are_owned_and_go_anywhere() {
    fn anywhere<T: Send + Sync + Unpin + Clone + 'static>(_: &T) {}
    fn spawnable<T: Send + Unpin + 'static>(value: T) -> T {
        value
    }
    let (_script, client) = client().await;
    anywhere(&client);
    let sending = spawnable(client.send(&Stdout("x".into())));
    drop(client);
    assert_eq!(text_of(tokio::spawn(sending).await.unwrap()), "E(79)");
}
