//! Python workers, with the client of deepfos-ipc 1.3.1, send to a server of dip.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::vectors::from_tagged;
use dip::builtin::{
    Any, Dict, Header, Json, Pickle, Stderr, Stdout, SubtaskError, SubtaskOut, TaskUpdate,
    TaskUpdateV2,
};
use dip::{Peer, Rejection, Router, State, Value, handler};
use dip_tests::python::{Python, python};
use dip_tests::serving::{Over, serve};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::task::JoinSet;
use uuid::Uuid;

/// The id of every client that does not choose one.
const DEFAULT_ID: Uuid = Uuid::from_u128(0xdee_9f03);

/// Messages for `send.py`: a type and a Python expression each.
type Messages<'a> = &'a [(&'a str, &'a str)];

/// Sends messages one after the other, says how each ended: `ok`, or the error of the package.
async fn send(python: &Python, address: &str, messages: Messages<'_>) -> Vec<String> {
    send_with(python, json!({"address": address, "messages": messages})).await
}

async fn send_with(python: &Python, input: serde_json::Value) -> Vec<String> {
    python.run("send.py", &input, Duration::from_secs(60)).await
}

/// What a handler was given, and the id that its sender claimed.
type Received = (Option<Uuid>, Any);

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Received>>>);

impl Log {
    fn add(&self, peer: &Peer, message: Any) {
        self.0.lock().unwrap().push((peer.client_id(), message));
    }

    fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

macro_rules! log {
    ($($name:ident: $Message:ident,)*) => {$(
        #[handler(group = "each type")]
        async fn $name(message: $Message, peer: Peer, State(log): State<Log>) {
            log.add(&peer, Any::$Message(message));
        }
    )*};
}

log! {
    stdout: Stdout,
    stderr: Stderr,
    pickle: Pickle,
    json: Json,
    dict: Dict,
    header: Header,
    subtask_out: SubtaskOut,
    subtask_error: SubtaskError,
    task_update: TaskUpdate,
    task_update_v2: TaskUpdateV2,
}

async fn each_type_arrives_at_its_handler(over: Over) {
    let Some(python) = python() else { return };
    let log = Log::default();
    let serving =
        serve(over, |server| server.router(Router::group("each type")).state(log.clone())).await;
    let value = |tagged| from_tagged(&tagged).unwrap();
    let values = |tagged: &[serde_json::Value]| tagged.iter().cloned().map(value).collect();
    let text = |text: &str| Some(text.to_owned());

    let cases = [
        ("O", "'你好 😀\\0\\r\\n'", Any::Stdout(Stdout("你好 😀\0\r\n".into()))),
        ("O", "'ok'", Any::Stdout(Stdout("ok".into()))),
        ("O", "''", Any::Stdout(Stdout(String::new()))),
        ("E", "'Traceback…\\n'", Any::Stderr(Stderr("Traceback…\n".into()))),
        (
            "P",
            "{'a': (1, b'x'), None: [2.5]}",
            Any::Pickle(Pickle(value(json!({"$type": "dict", "items": [
                ["a", {"$type": "tuple", "items": [1, {"$type": "bytes", "hex": "78"}]}],
                [null, [2.5]],
            ]})))),
        ),
        ("P", "None", Any::Pickle(Pickle(Value::Null))),
        ("J", "{'z': 1, 'a': [None, True, 1e16]}", {
            Any::Json(Json(value(json!({"z": 1, "a": [null, true, 1e16]}))))
        }),
        ("J", "''", Any::Json(Json("".into()))),
        ("D", "{}", Any::Dict(Dict {})),
        ("H", "{'header': '标题'}", Any::Header(Header { header: text("标题") })),
        ("H", "{}", Any::Header(Header { header: None })),
        (
            "o",
            "{'subtask_out': 'line\\n', 'arg': 'x=1'}",
            Any::SubtaskOut(SubtaskOut { arg: text("x=1"), subtask_out: text("line\n") }),
        ),
        (
            "e",
            "{'subtask_err': '失败 💥'}",
            Any::SubtaskError(SubtaskError { arg: None, subtask_err: text("失败 💥") }),
        ),
        (
            "U",
            "[{'task': 't1', 'progress': 0.5}, 'two']",
            Any::TaskUpdate(TaskUpdate(values(&[
                json!({"task": "t1", "progress": 0.5}),
                json!("two"),
            ]))),
        ),
        ("I", "[1, None]", Any::TaskUpdateV2(TaskUpdateV2(values(&[json!(1), json!(null)])))),
        ("I", "[]", Any::TaskUpdateV2(TaskUpdateV2(vec![]))),
    ];
    let messages: Vec<_> = cases.iter().map(|(mtype, text, _)| (*mtype, *text)).collect();

    let outcomes = send(python, &serving.address, &messages).await;

    assert_eq!(outcomes, vec!["ok"; cases.len()]);
    let expected: Vec<_> =
        cases.into_iter().map(|(_, _, message)| (Some(DEFAULT_ID), message)).collect();
    assert_eq!(log.take(), expected);
}

#[tokio::test]
async fn each_type_arrives_at_its_handler_over_a_unix_socket() {
    each_type_arrives_at_its_handler(Over::Unix).await;
}

#[tokio::test]
async fn each_type_arrives_at_its_handler_over_tcp() {
    each_type_arrives_at_its_handler(Over::Tcp).await;
}

#[handler(group = "any type")]
async fn any(message: Any, peer: Peer, State(log): State<Log>) {
    log.add(&peer, message);
}

#[tokio::test]
async fn the_id_is_what_the_client_claims() {
    let Some(python) = python() else { return };
    let log = Log::default();
    let serving =
        serve(Over::Unix, |server| server.router(Router::new().handler(any)).state(log.clone()))
            .await;
    let (own, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let change = format!("uuid.UUID({:?})", other.to_string());
    let messages = [("O", "'before'"), ("\x1d", &*change), ("O", "'after'")];
    let seen = || log.take().into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    let address = &serving.address;

    send(python, address, &messages).await;
    assert_eq!(seen(), [Some(DEFAULT_ID), Some(other)]);
    send_with(python, json!({"address": address, "messages": messages, "id": own.to_string()}))
        .await;
    assert_eq!(seen(), [Some(own), Some(other)]);
    send_with(python, json!({"address": address, "messages": messages, "id": null})).await;
    assert_eq!(seen(), [None, Some(other)]);
}

#[tokio::test]
async fn a_message_that_does_not_decode_is_refused_as_the_package_refuses_it() {
    let Some(python) = python() else { return };
    let log = Log::default();
    let serving =
        serve(Over::Unix, |server| server.router(Router::new().handler(any)).state(log.clone()))
            .await;
    let cases = [
        // Where the package matters, the whole text; elsewhere the class.
        ("O", r"Raw(b'\xff')", "UnicodeDecodeError("),
        ("E", r"Raw(b'a\xe4\xb8')", "UnicodeDecodeError("),
        ("J", r"Raw(b'\xfe')", "UnicodeDecodeError("),
        ("J", "Raw(b'{')", "JSONDecodeError("),
        ("J", "Raw(b'[1 2]')", "JSONDecodeError("),
        ("U", r"Raw(b'J\0\0\0\1{')", "JSONDecodeError("),
        (
            "D",
            r"Raw(b'\0\0\0\0\0\1x')",
            "ProtoDecodeError('Field index 0 exceeds max length (0).')",
        ),
        ("H", r"Raw(b'\0\1\0\0\0\0')", "ProtoDecodeError('Field index 1 exceeds max length (1).')"),
        (
            "e",
            r"Raw(b'\0\0\0\0\0\5ab')",
            "ProtoDecodeError('Not enough bytes to read, expect: 5, got: 2')",
        ),
        ("H", r"Raw(b'\0')", "error('unpack requires a buffer of 2 bytes')"),
        ("I", r"Raw(b'J\0\0')", "error('unpack requires a buffer of 4 bytes')"),
        ("U", r"Raw(b'K\0\0\0\0011')", "ProtoDecodeError("),
        ("\x1d", "Raw(b'too short')", "ValueError('bytes is not a 16-char string')"),
        ("P", r"Raw(b'\x80\x05K\x01')", "EOFError('Ran out of input')"),
        ("P", r"Raw(b'\x80\x09N.')", "ValueError('unsupported pickle protocol: 9')"),
        ("P", "Raw(b'{')", "UnpicklingError("),
        ("P", r"Raw(b'cos\nsystem\n(Vid\ntR.')", "UnpicklingError("),
    ];
    let interleaved: Vec<_> =
        cases.iter().flat_map(|(mtype, text, _)| [(*mtype, *text), ("J", "'in step'")]).collect();

    let outcomes = send(python, &serving.address, &interleaved).await;

    for ((mtype, text, says), outcome) in cases.iter().zip(outcomes.chunks(2)) {
        assert!(outcome[0].starts_with(&refusal(says)), "{mtype} {text}: {:?}", outcome[0]);
        assert_eq!(outcome[1], "ok", "after {mtype} {text}");
    }
    assert_eq!(log.take().len(), cases.len());
}

/// How the package reports what a server says.
fn refusal(reply: &str) -> String {
    format!("ResponseError: Server respond with: {reply}")
}

/// Does what it is asked for.
#[handler(group = "refuses")]
async fn refuse(Json(how): Json<String>) -> Result<(), Rejection> {
    match &*how {
        "by name" => return Err(Rejection::named("ValueError", "boom")),
        "quoted" => return Err(Rejection::named("KeyError", "it's\n键 😀")),
        "by ?" => _ = "x".parse::<u32>()?,
        "in panic" => panic!("as asked"),
        _ => {}
    }
    Ok(())
}

#[tokio::test]
async fn workers_can_match_on_the_errors_of_handlers() {
    let Some(python) = python() else { return };
    let serving = serve(Over::Unix, |server| server.router(Router::group("refuses"))).await;
    let cases = [
        ("'by name'", "ValueError('boom')"),
        ("'quoted'", r#"KeyError("it's\n键 😀")"#),
        ("'by ?'", "ParseIntError('invalid digit found in string')"),
        ("'in panic'", "RuntimeError('the handler panicked')"),
        ("{'not': 'a text'}", "TypeError("),
    ];
    let messages: Vec<_> =
        cases.iter().flat_map(|(how, _)| [("J", *how), ("J", "'not at all'")]).collect();

    let outcomes = send(python, &serving.address, &messages).await;

    for ((how, says), outcome) in cases.iter().zip(outcomes.chunks(2)) {
        assert!(outcome[0].starts_with(&refusal(says)), "{how}: {:?}", outcome[0]);
        assert_eq!(outcome[1], "ok", "after {how}");
    }
}

#[tokio::test]
async fn a_type_that_nobody_knows_is_refused_with_the_text_of_the_package() {
    let Some(python) = python() else { return };
    let serving = serve(Over::Unix, |server| server.router(Router::group("refuses"))).await;
    let messages = [("Z", "Raw(b'?')"), ("\0", "Raw(b'')"), ("\u{ff}", "Raw(bytes(100_000))")];

    let outcomes = send(python, &serving.address, &messages).await;

    let says = |number| {
        let text = format!("No protocol found in registry for message type: {number}");
        refusal(&format!("UnsupportedProtoError('{text}')"))
    };
    assert_eq!(outcomes, [says(90), says(0), says(255)]);
}

#[tokio::test]
async fn big_messages_arrive_whole() {
    let Some(python) = python() else { return };
    let log = Log::default();
    let serving =
        serve(Over::Tcp, |server| server.router(Router::new().handler(any)).state(log.clone()))
            .await;
    let messages = [
        ("O", "'0123456789abcdef' * 4096"),
        ("O", "'x' * 5_000_003"),
        ("J", "{'list': list(range(60_000)), 'text': '数据' * 50_000}"),
        ("P", "[bytes(range(256)) * 1000, 'é' * 70_000]"),
        ("U", "[{'n': n, 'pad': 'p' * 100} for n in range(3000)]"),
    ];
    let input = json!({"address": serving.address, "messages": messages, "timeout": 60});

    let outcomes = send_with(python, input).await;

    assert_eq!(outcomes, ["ok"; 5]);
    let [text, longer, json, pickle, updates] = log.take().try_into().unwrap();
    assert_eq!(text.1, Any::Stdout(Stdout("0123456789abcdef".repeat(4096))));
    assert_eq!(longer.1, Any::Stdout(Stdout("x".repeat(5_000_003))));
    let list: Vec<Value> = (0..60_000).map(Value::from).collect();
    let entries = [("list", Value::from(list)), ("text", "数据".repeat(50_000).into())];
    assert_eq!(json.1, Any::Json(Json(entries.into_iter().collect::<dip::value::Dict>().into())));
    let bytes: Vec<u8> = (0..=255).cycle().take(256_000).collect();
    let items = vec![Value::Bytes(bytes), "é".repeat(70_000).into()];
    assert_eq!(pickle.1, Any::Pickle(Pickle(items.into())));
    let update = |n| json!({"n": n, "pad": "p".repeat(100)}).into();
    assert_eq!(updates.1, Any::TaskUpdate(TaskUpdate((0..3000).map(update).collect())));
}

#[tokio::test]
async fn many_tasks_of_one_worker_share_a_pool() {
    let Some(python) = python() else { return };
    let log = Log::default();
    let serving =
        serve(Over::Unix, |server| server.router(Router::new().handler(any)).state(log.clone()))
            .await;
    let texts: Vec<_> = (0..1000).map(|n| format!("message {n}")).collect();
    let messages: Vec<_> = texts.iter().map(|text| ("O", format!("{text:?}"))).collect();
    let input = json!({"address": serving.address, "messages": messages, "at_once": 64});

    let outcomes = send_with(python, input).await;

    assert_eq!(outcomes, vec!["ok"; 1000]);
    assert_eq!(serving.server.stats().accepted, 16, "a pool of 16");
    let mut seen: Vec<_> = log.take().into_iter().map(|(_, message)| text_of(message)).collect();
    let mut texts = texts;
    seen.sort();
    texts.sort();
    assert_eq!(seen, texts);
}

fn text_of(message: Any) -> String {
    match message {
        Any::Stdout(text) => text.0,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn three_worker_processes_each_keep_their_order() {
    let Some(python) = python() else { return };
    let log = Log::default();
    let serving =
        serve(Over::Unix, |server| server.router(Router::new().handler(any)).state(log.clone()))
            .await;
    let texts: Vec<_> = (0..200).map(|n| n.to_string()).collect();
    let mut workers = JoinSet::new();
    for worker in 0..3 {
        let messages: Vec<_> = texts.iter().map(|text| ("O", format!("{text:?}"))).collect();
        let id = Uuid::from_u128(worker).to_string();
        let input = json!({"address": serving.address, "messages": messages, "id": id});
        workers.spawn(async move { send_with(python, input).await });
    }
    for outcomes in workers.join_all().await {
        assert_eq!(outcomes, vec!["ok"; 200]);
    }

    let seen = log.take();
    for worker in 0..3 {
        let of_worker = seen.iter().filter(|(id, _)| *id == Some(Uuid::from_u128(worker)));
        let of_worker: Vec<_> = of_worker.map(|(_, message)| text_of(message.clone())).collect();
        assert_eq!(of_worker, texts, "worker {worker}");
    }
    assert_eq!(seen.len(), 600);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Progress {
    task: String,
    ratio: f64,
    left: Option<f64>,
    total: i128,
    details: Value,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TaskStatus {
    Waiting,
    Running { done: u32 },
    Failed(String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Job {
    key: (u32, String),
    tags: BTreeSet<String>,
    size: i128,
    weights: Vec<f32>,
    arguments: Value,
}

#[derive(Clone, Default)]
struct Typed {
    progress: Arc<Mutex<Vec<Progress>>>,
    statuses: Arc<Mutex<Vec<TaskStatus>>>,
    jobs: Arc<Mutex<Vec<Job>>>,
}

#[handler(group = "typed")]
async fn progress(Json(progress): Json<Progress>, State(typed): State<Typed>) {
    typed.progress.lock().unwrap().push(progress);
}

#[handler(group = "typed")]
async fn statuses(update: TaskUpdate<TaskStatus>, State(typed): State<Typed>) {
    typed.statuses.lock().unwrap().extend(update.0);
}

#[handler(group = "typed")]
async fn job(Pickle(job): Pickle<Job>, State(typed): State<Typed>) {
    typed.jobs.lock().unwrap().push(job);
}

#[tokio::test]
async fn typed_handlers_receive_what_python_sent() {
    let Some(python) = python() else { return };
    let typed = Typed::default();
    let serving =
        serve(Over::Unix, |server| server.router(Router::group("typed")).state(typed.clone()))
            .await;
    let messages = [
        (
            "J",
            "{'task': 't1', 'ratio': float('nan'), 'left': None, 'total': 2**70,
              'details': {'z': -float('inf'), 'a': (1, 2), 'm': {}}}",
        ),
        ("U", "['waiting', {'running': {'done': 7}}, {'failed': 'no\\n'}]"),
        (
            "P",
            "{'key': (7, 'x'), 'tags': {'b', 'a'}, 'size': -2**70, 'weights': (0.5, 1),
              'arguments': {'z': {1}, (1, 'a'): b'x', 'b': frozenset(), 2**70: bytearray(b'y')}}",
        ),
        ("J", "{'task': 't2'}"),
        ("U", "['gone']"),
        ("P", "{'key': [1], 'tags': set()}"),
    ];

    let outcomes = send(python, &serving.address, &messages).await;

    assert_eq!(outcomes[..3], ["ok"; 3]);
    for outcome in &outcomes[3..] {
        assert!(outcome.starts_with(&refusal("TypeError(")), "{outcome}");
    }

    let [progress] = typed.progress.lock().unwrap().clone().try_into().unwrap();
    assert_eq!((&*progress.task, progress.left, progress.total), ("t1", None, 1 << 70));
    assert!(progress.ratio.is_nan());
    let details = progress.details.as_dict().unwrap();
    let entries: Vec<_> = details.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    let pair = Value::List(vec![1.into(), 2.into()]);
    let expected = [
        ("z".into(), Value::Float(f64::NEG_INFINITY)),
        ("a".into(), pair),
        ("m".into(), Value::Dict(dip::value::Dict::new())),
    ];
    assert_eq!(entries, expected, "in Python's order");

    let running = TaskStatus::Running { done: 7 };
    let failed = TaskStatus::Failed("no\n".into());
    assert_eq!(*typed.statuses.lock().unwrap(), [TaskStatus::Waiting, running, failed]);

    let [job] = typed.jobs.lock().unwrap().clone().try_into().unwrap();
    assert_eq!(job.key, (7, "x".into()));
    assert_eq!(job.tags, BTreeSet::from(["a".into(), "b".into()]));
    assert_eq!((job.size, job.weights), (-(1 << 70), vec![0.5, 1.0]));
    let expected = json!({"$type": "dict", "items": [
        ["z", {"$type": "set", "items": [1]}],
        [{"$type": "tuple", "items": [1, "a"]}, {"$type": "bytes", "hex": "78"}],
        ["b", {"$type": "frozenset", "items": []}],
        [{"$type": "int", "dec": (1_i128 << 70).to_string()}, {"$type": "bytearray", "hex": "79"}],
    ]});
    let expected = from_tagged(&expected).unwrap();
    assert_eq!(job.arguments, expected);
    let keys =
        |value: &Value| value.as_dict().unwrap().iter().map(|(key, _)| key.clone()).collect();
    let (keys, expected): (Vec<_>, Vec<_>) = (keys(&job.arguments), keys(&expected));
    assert_eq!(keys, expected, "in Python's order");
}
