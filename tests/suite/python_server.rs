//! A client of dip sends to a server of deepfos-ipc 1.3.1.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dip::builtin::{
    Dict as Nothing, Header, Json, Stderr, Stdout, SubtaskError, SubtaskOut, TaskUpdate,
    TaskUpdateV2,
};
use dip::codec::{Body, BodyMut, Codec, DecodeError, DecodeLimits, EncodeError};
use dip::value::{Dict, Set};
use dip::{
    CallError, Client, Code, ConnectError, NoError, Protocol, Reason, Remote, Router, Value, Wire,
    handler,
};
use dip_tests::python::{Python, python};
use dip_tests::recording::{Recorded, Recording};
use dip_tests::serving::{Over, serve};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinSet;
use uuid::Uuid;

const ID: Uuid = Uuid::from_u128(0x1234_5678);

/// A server on a path of its own.
struct Served {
    server: Recording,
    python: &'static Python,
    directory: TempDir,
}

impl Served {
    async fn new(python: &'static Python, string_mapping: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = path_in(&directory);
        let server = Recording::start(python, &path, string_mapping).await;
        Self { server, python, directory }
    }

    async fn client(&self) -> Client {
        Client::builder(path_in(&self.directory)).id(Some(ID)).connect().await.unwrap()
    }

    async fn restart(&mut self) {
        self.server = Recording::start(self.python, &path_in(&self.directory), false).await;
    }

    /// The next message, which is from a client with `ID`.
    async fn next(&mut self) -> (char, String) {
        let Recorded { id, mtype, value } = self.server.next().await;
        assert_eq!(id, Some(ID.to_string()), "{mtype} {value}");
        (mtype, value)
    }
}

fn path_in(directory: impl AsRef<Path>) -> PathBuf {
    directory.as_ref().join("socket")
}

impl AsRef<Path> for Served {
    fn as_ref(&self) -> &Path {
        self.directory.path()
    }
}

fn is(mtype: char, value: &str) -> (char, String) {
    (mtype, value.to_owned())
}

fn rejected<T: std::fmt::Debug>(sent: Result<T, CallError<NoError>>) -> Remote {
    match sent {
        Err(CallError::Rejected(remote)) => remote,
        other => panic!("not rejected: {other:?}"),
    }
}

/// The example of the package's README.
#[derive(Debug, PartialEq, Protocol)]
#[mtype(b's')]
#[protocol(codec = Coded)]
pub(crate) struct Phrase(pub(crate) String);

pub(crate) struct Coded;

impl Codec<Phrase> for Coded {
    fn encode(phrase: &Phrase, body: &mut BodyMut<'_>) -> Result<(), EncodeError> {
        if phrase.0 != "Hello World" {
            return Err(EncodeError::new("the phrase has no code"));
        }
        body.extend_from_slice(b"h");
        Ok(())
    }

    fn decode(body: Body<'_>, _: &DecodeLimits) -> Result<Phrase, DecodeError> {
        match &*body {
            b"h" => Ok(Phrase("Hello World".into())),
            _ => Err(DecodeError::new("no phrase has this code")),
        }
    }
}

#[tokio::test]
async fn each_type_arrives_under_the_id_of_the_client() {
    let Some(python) = python() else { return };
    let mut served = Served::new(python, false).await;
    let client = served.client().await;
    let text = |text: &str| Some(text.to_owned());
    let updates = || vec![json!({"task": "t1", "ratio": 0.5}), json!("two"), json!(null)];

    client.send(&Stdout("你好 😀\0\r\n'".into())).await.unwrap();
    assert_eq!(served.next().await, is('O', r#""你好 😀\x00\r\n'""#));
    client.send(&Stderr("Traceback…\n".into())).await.unwrap();
    assert_eq!(served.next().await, is('E', r"'Traceback…\n'"));
    client.send_pickle(&("task", 7, [1.5, f64::NAN])).await.unwrap();
    assert_eq!(served.next().await, is('P', "('task', 7, (1.5, nan))"));
    client.send(&Json(String::new())).await.unwrap();
    assert_eq!(served.next().await, is('J', "''"));
    client.send(&Header { header: text("标题") }).await.unwrap();
    assert_eq!(served.next().await, is('H', "{'header': '标题'}"));
    client.send(&SubtaskOut { arg: text("x=1"), subtask_out: text("") }).await.unwrap();
    assert_eq!(served.next().await, is('o', "{'arg': 'x=1', 'subtask_out': ''}"));
    client.send(&SubtaskError { arg: None, subtask_err: text("失败 💥") }).await.unwrap();
    assert_eq!(served.next().await, is('e', "{'subtask_err': '失败 💥'}"));
    client.send(&TaskUpdate(updates())).await.unwrap();
    assert_eq!(served.next().await, is('U', "[{'ratio': 0.5, 'task': 't1'}, 'two', None]"));
    client.send(&TaskUpdateV2(updates())).await.unwrap();
    assert_eq!(served.next().await, is('I', "[{'ratio': 0.5, 'task': 't1'}, 'two', None]"));
}

#[tokio::test]
async fn without_an_id_the_server_sees_none() {
    let Some(python) = python() else { return };
    let mut served = Served::new(python, false).await;
    let client = Client::builder(path_in(&served)).id(None).connect().await.unwrap();
    client.send_json("x").await.unwrap();
    let expected = Recorded { id: None, mtype: 'J', value: "'x'".into() };
    assert_eq!(served.server.next().await, expected);
}

#[derive(Serialize)]
struct Progress {
    task: &'static str,
    ratio: f64,
    left: Option<f64>,
    total: i128,
    key: (u32, char),
    status: Status,
    details: Value,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Running { done: u32 },
}

#[tokio::test]
async fn typed_values_arrive_whole_and_in_order() {
    let Some(python) = python() else { return };
    let mut served = Served::new(python, false).await;
    let client = served.client().await;
    let details: [(&str, Value); 3] =
        [("z", f64::NEG_INFINITY.into()), ("a", 1e16.into()), ("m", Dict::new().into())];
    let progress = Progress {
        task: "t1",
        ratio: f64::NAN,
        left: None,
        total: 1 << 70,
        key: (7, 'é'),
        status: Status::Running { done: 7 },
        details: details.into_iter().collect::<Dict>().into(),
    };
    let arrives = |key| {
        format!(
            "{{'task': 't1', 'ratio': nan, 'left': None, 'total': 1180591620717411303424, \
             'key': {key}, 'status': {{'running': {{'done': 7}}}}, \
             'details': {{'z': -inf, 'a': 1e+16, 'm': {{}}}}}}"
        )
    };

    client.send_json(&progress).await.unwrap();
    assert_eq!(served.next().await, ('J', arrives("[7, 'é']")));
    client.send_pickle(&progress).await.unwrap();
    assert_eq!(served.next().await, ('P', arrives("(7, 'é')")));
    client.send(&TaskUpdate(vec![Status::Running { done: 1 }])).await.unwrap();
    assert_eq!(served.next().await, is('U', "[{'running': {'done': 1}}]"));
}

#[tokio::test]
async fn every_kind_of_python_value_arrives_as_that_kind() {
    let Some(python) = python() else { return };
    let mut served = Served::new(python, false).await;
    let client = served.client().await;
    let entries: [(Value, Value); 7] = [
        ("z".into(), Value::Set(Set::from_iter([1]))),
        (Value::Tuple(vec![1.into(), "a".into()]), Value::Bytes(b"x\0\xff".to_vec())),
        ("b".into(), Value::Frozenset(Set::new())),
        (Value::Int((1_i128 << 70).into()), Value::Bytearray(b"y".to_vec())),
        (Value::Null, Value::List(vec![true.into(), (-0.0).into()])),
        (Value::Bytes(vec![]), Value::Tuple(vec![])),
        ("a".into(), Value::Int((-(1_i128 << 70)).into())),
    ];
    let value = Value::from(entries.into_iter().collect::<Dict>());

    client.send_pickle(&value).await.unwrap();

    let expected = r"{'z': {1}, (1, 'a'): b'x\x00\xff', 'b': frozenset(), 1180591620717411303424: bytearray(b'y'), None: [True, -0.0], b'': (), 'a': -1180591620717411303424}";
    assert_eq!(served.next().await, is('P', expected));
}

#[tokio::test]
async fn big_messages_arrive_whole() {
    let Some(python) = python() else { return };
    let mut served = Served::new(python, false).await;
    let client = served.client().await;
    let text = "0123456789abcdef".repeat(300_000);
    let (sent, received) = tokio::join!(client.send(&Stdout(text.clone())), served.next());
    sent.unwrap();
    assert!(received == ('O', format!("'{text}'")));
    let list: Vec<_> = (0..60_000).collect();
    let (sent, received) = tokio::join!(client.send_pickle(&list), served.next());
    sent.unwrap();
    assert!(received == ('P', format!("{list:?}")));
}

#[tokio::test]
async fn messages_of_many_tasks_each_arrive_once() {
    let Some(python) = python() else { return };
    let mut served = Served::new(python, false).await;
    let client = served.client().await;
    let mut tasks: JoinSet<_> = (0..500).map(|n| client.send_json(&n)).collect();
    let mut seen = Vec::new();
    for _ in 0..500 {
        seen.push(served.next().await.1.parse::<u32>().unwrap());
    }
    while let Some(sent) = tasks.join_next().await {
        sent.unwrap().unwrap();
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..500).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_empty_body_is_refused_before_it_is_sent() {
    let Some(python) = python() else { return };
    let mut served = Served::new(python, false).await;
    let client = served.client().await;
    let sent = [
        client.send(&Nothing {}).await,
        client.send(&Header { header: None }).await,
        client.send(&Stdout(String::new())).await,
        client.send(&TaskUpdate::<Value>(vec![])).await,
        client.send_raw(b'D', "").await,
    ];
    for sent in sent {
        assert!(matches!(sent, Err(CallError::NotSent(Reason::EmptyBody))), "{sent:?}");
    }
    client.send_json("the first").await.unwrap();
    assert_eq!(served.next().await, is('J', "'the first'"));
}

#[tokio::test]
async fn a_custom_type_arrives_where_the_server_has_a_protocol_for_it() {
    let Some(python) = python() else { return };
    let mut served = Served::new(python, true).await;
    let client = served.client().await;
    client.send(&Phrase("Hello World".into())).await.unwrap();
    assert_eq!(served.next().await, is('s', "'Hello World'"));
    let remote = rejected(client.send_raw(b's', "?").await);
    assert_eq!(remote.code, Code::Rejected);
    assert_eq!(remote.text, r#"ProtoDecodeError("Cannot decode byte: b'?'")"#);
}

#[tokio::test]
async fn a_custom_type_is_unknown_where_the_server_has_no_protocol_for_it() {
    let Some(python) = python() else { return };
    let mut served = Served::new(python, false).await;
    let client = served.client().await;
    let sent = client.send(&Phrase("Hello World".into())).await;
    assert!(!sent.as_ref().unwrap_err().may_have_run());
    let remote = rejected(sent);
    assert_eq!((remote.code, remote.class()), (Code::UnknownType, "UnsupportedProtoError"));
    let text = "UnsupportedProtoError('No protocol found in registry for message type: 115')";
    assert_eq!(remote.text, text);
    client.send_json("goes on").await.unwrap();
    assert_eq!(served.next().await, is('J', "'goes on'"));
}

#[tokio::test]
async fn what_the_callback_raises_is_the_rejection() {
    let Some(python) = python() else { return };
    let served = Served::new(python, false).await;
    let client = served.client().await;
    let cases = [
        ("ValueError", "boom", "ValueError('boom')"),
        ("KeyError", "it's\n键 😀", r#"KeyError("it's\n键 😀")"#),
        ("RuntimeError", "错误：(值)", "RuntimeError('错误：(值)')"),
    ];
    for (class, text, expected) in cases {
        let sent = client.send_json(&json!({"raise": class, "text": text})).await;
        assert!(sent.as_ref().unwrap_err().may_have_run());
        let remote = rejected(sent);
        assert_eq!((remote.code, remote.class(), &*remote.text), (Code::Rejected, class, expected));
        client.send_json("goes on").await.unwrap();
    }
    let long = "x".repeat(50_000);
    let remote = rejected(client.send_json(&json!({"raise": "ValueError", "text": long})).await);
    assert_eq!(remote.text, format!("ValueError('{long}')"), "whole");
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_given_to_no_other_message() {
    let Some(python) = python() else { return };
    let mut served = Served::new(python, false).await;
    let client = served.client().await;
    let time = Duration::from_millis(300);
    for late in [
        json!({"sleep": 1.5}),
        json!({"sleep": 1.5, "raise": "ValueError", "text": "about the first"}),
    ] {
        let begun = Instant::now();
        let sent = client.send_json(&late).timeout(time).await;
        assert!(matches!(sent, Err(CallError::Deadline { sent: true })), "{sent:?}");
        let took = begun.elapsed();
        assert!((time..Duration::from_secs(1)).contains(&took), "{took:?}");
        served.next().await;

        let second = json!({"raise": "KeyError", "text": "about the second"});
        assert_eq!(rejected(client.send_json(&second).await).text, "KeyError('about the second')");
        served.next().await;
        client.send_json("third").await.unwrap();
        assert_eq!(served.next().await, is('J', "'third'"));
    }
}

#[tokio::test]
async fn a_server_that_is_killed_is_noticed_at_once_and_its_successor_found() {
    let Some(python) = python() else { return };
    let mut served = Served::new(python, false).await;
    let client = served.client().await;
    let patience = Duration::from_secs(30);
    let waiting = tokio::spawn(client.send_json(&json!({"sleep": 60})).timeout(patience));
    served.next().await;
    let begun = Instant::now();
    served.server.kill().await;

    let sent = waiting.await.unwrap();

    assert!(matches!(sent, Err(CallError::ConnectionLost)), "{sent:?}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let sent = client.send_json("nobody is there").await;
    let no_server =
        |reason: &Reason| matches!(reason, Reason::Connect(ConnectError::NoServer { .. }));
    assert!(matches!(&sent, Err(CallError::NotSent(reason)) if no_server(reason)), "{sent:?}");
    assert!(sent.unwrap_err().is_retryable());

    served.restart().await;
    client.send_json("back again").await.unwrap();
    assert_eq!(served.next().await, is('J', "'back again'"));
}

#[tokio::test]
async fn a_server_that_is_replaced_between_messages_is_not_noticed() {
    let Some(python) = python() else { return };
    let mut served = Served::new(python, false).await;
    let client = served.client().await;
    for text in ["first", "second", "third"] {
        client.send_json(text).await.unwrap();
        assert_eq!(served.next().await, ('J', format!("'{text}'")));
        served.server.kill().await;
        served.restart().await;
    }
}

#[handler(group = "nothing")]
async fn nothing(_: Nothing) {}

#[tokio::test]
async fn a_field_that_a_type_does_not_have_is_refused_alike_by_both_servers() {
    let Some(python) = python() else { return };
    let served = Served::new(python, false).await;
    let ours = serve(Over::Unix, |server| server.router(Router::new().handler(nothing))).await;
    let to_ours = Client::builder(&*ours.address).wire(Wire::Classic).connect().await.unwrap();
    for client in [served.client().await, to_ours] {
        let remote = rejected(client.send_raw(b'D', &b"\0\0\0\0\0\x01x"[..]).await);
        assert_eq!((remote.code, remote.class()), (Code::Rejected, "ProtoDecodeError"));
        let text = "ProtoDecodeError('Field index 0 exceeds max length (0).')";
        assert_eq!(remote.text, text);
    }
}
