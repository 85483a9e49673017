//! Handlers that nobody waits for any more: when their callers hear of it, and what has ended by then.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use dip::{
    CallError, Client, Code, Context, FromContext, Limits, Protocol, Rejection, Router, Server,
    State, handler,
};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::sync::Notify;

use super::raw::{ERROR, REQUEST, Raw, frame};
use super::support::{Gate, Log, Told, in_time, ms, until};

const CANCEL: u8 = 8;

/// Holds threads until they are let go.
#[derive(Clone, Default)]
struct Threads {
    open: Arc<std::sync::Mutex<bool>>,
    opened: Arc<std::sync::Condvar>,
}

impl Threads {
    fn wait(&self) {
        let open = self.open.lock().unwrap();
        drop(self.opened.wait_while(open, |open| !*open).unwrap());
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

/// Keeps a thread, whoever waits for it.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype("given_up.block")]
struct Block(String);

#[handler(group = "given up", blocking)]
fn block(Block(name): Block, State(threads): State<Threads>, State(log): State<Log>) {
    let mut told = Told::begin(&name, &log);
    threads.wait();
    told.how = "done";
}

/// Waits at the gate.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype("given_up.wait")]
struct Wait(String);

#[handler(group = "given up")]
async fn wait(Wait(name): Wait, State(gate): State<Gate>, State(log): State<Log>) {
    let mut told = Told::begin(&name, &log);
    gate.pass().await;
    told.how = "done";
}

/// Waits in a lane for the one before it, and runs to its end.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype("given_up.queue")]
struct Queue(String);

#[handler(group = "given up", no_cancel, ordered = "connection")]
async fn queue(Queue(name): Queue, State(log): State<Log>, State(go): State<Arc<Notify>>) {
    let mut told = Told::begin(&name, &log);
    go.notified().await;
    told.how = "done";
}

/// Counts how often a handler's arguments were taken.
struct Extracted;

impl FromContext for Extracted {
    fn from_context(context: &Context) -> Result<Self, Rejection> {
        let State(count) = context.extract::<State<Arc<AtomicUsize>>>()?;
        count.fetch_add(1, SeqCst);
        Ok(Self)
    }
}

#[derive(Serialize, Deserialize, Protocol)]
#[mtype("given_up.extract")]
struct Extract;

#[handler(group = "given up")]
async fn extract(_: Extract, _: Extracted) {}

struct Fixture {
    server: Server,
    client: Client,
    log: Log,
    gate: Gate,
    threads: Threads,
    go: Arc<Notify>,
    extracted: Arc<AtomicUsize>,
    directory: TempDir,
}

impl Fixture {
    async fn new(limits: Limits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let (log, gate, threads) = (Log::default(), Gate::closed(), Threads::default());
        let (go, extracted) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let builder = Server::builder(&path).router(Router::group("given up")).limits(limits);
        let builder = builder.state(log.clone()).state(gate.clone()).state(threads.clone());
        let builder = builder.state(go.clone()).state(extracted.clone());
        let bound = builder.bind().await.unwrap();
        let server = bound.server();
        tokio::spawn(bound.run());
        let client = Client::connect(&path).await.unwrap();
        Self { server, client, log, gate, threads, go, extracted, directory }
    }

    async fn raw(&self) -> Raw {
        Raw::connect(&self.directory.path().join("s")).await
    }

    /// Waits until so many handlers of a type are in hand.
    async fn in_flight<M: Protocol>(&self, count: u64) {
        until(|| self.server.stats().of(M::MTYPE).unwrap().in_flight == count).await;
    }
}

/// A message with one string.
fn named(call: u32, mtype: u32, name: &str) -> Vec<u8> {
    let len = u8::try_from(name.len()).unwrap();
    frame(REQUEST, call, mtype, &[&[len], name.as_bytes()].concat())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_call_is_answered_when_its_handler_is_dropped_and_not_before() {
    let fixture = Fixture::new(Limits::default()).await;
    let mut raw = fixture.raw().await;
    for call in (1..200).step_by(2) {
        raw.write(&named(call, Wait::MTYPE.number(), "w")).await;
        fixture.log.reaches(call as usize).await;
        raw.write(&frame(CANCEL, call, 0, b"")).await;
        let answer = raw.next_of(ERROR).await;
        assert_eq!((answer.call, &answer.body[..3]), (call, &[0, 10, 1][..]));
        assert_eq!(fixture.log.all().len() as u32, call + 1, "its handler is dropped by now");
    }
}

#[tokio::test]
async fn a_blocking_handler_that_waits_for_a_thread_never_begins_once_it_is_given_up() {
    let fixture = Fixture::new(Limits::default().blocking_handlers(1)).await;
    let mut raw = fixture.raw().await;
    raw.write(&named(1, Block::MTYPE.number(), "first")).await;
    fixture.log.reaches(1).await;
    raw.write(&named(3, Block::MTYPE.number(), "second")).await;
    fixture.in_flight::<Block>(2).await;
    raw.write(&frame(CANCEL, 3, 0, b"")).await;
    let answer = raw.next_of(ERROR).await;
    assert_eq!((answer.call, &answer.body[..3]), (3, &[0, 10, 0][..]), "certainly not handled");
    fixture.threads.open();
    fixture.in_flight::<Block>(0).await;
    assert_eq!(fixture.log.all(), ["first begun", "first done"]);
}

#[tokio::test]
async fn a_handler_that_waits_in_a_lane_never_begins_once_it_is_given_up() {
    let fixture = Fixture::new(Limits::default()).await;
    let mut raw = fixture.raw().await;
    raw.write(&named(1, Queue::MTYPE.number(), "first")).await;
    fixture.log.reaches(1).await;
    raw.write(&named(3, Queue::MTYPE.number(), "second")).await;
    fixture.in_flight::<Queue>(2).await;
    raw.write(&frame(CANCEL, 3, 0, b"")).await;
    let answer = raw.next_of(ERROR).await;
    assert_eq!((answer.call, &answer.body[..3]), (3, &[0, 10, 0][..]), "certainly not handled");
    fixture.go.notify_one();
    fixture.in_flight::<Queue>(0).await;
    assert_eq!(fixture.log.all(), ["first begun", "first done"]);
    // Its place in the lane is free.
    raw.write(&named(5, Queue::MTYPE.number(), "third")).await;
    fixture.log.reaches(3).await;
}

#[tokio::test]
async fn a_caller_hears_of_the_cap_while_a_blocking_handler_runs_on() {
    let fixture = Fixture::new(Limits::default().handler_cap(ms(50))).await;
    let error = in_time(fixture.client.send(&Block("b".into()))).await.unwrap_err();
    let CallError::Rejected(remote) = error else { panic!("{error:?}") };
    assert_eq!((remote.code, remote.may_have_run()), (Code::Deadline, true));
    assert_eq!(fixture.log.all(), ["b begun"]);
    fixture.threads.open();
    fixture.log.reaches(2).await;
}

#[tokio::test]
async fn a_message_that_is_one_too_many_is_refused_before_any_of_its_code_runs() {
    let limits = Limits::default().running_handlers(1);
    let fixture = Fixture::new(limits).await;
    let waiting = tokio::spawn(fixture.client.send(&Wait("w".into())));
    fixture.log.reaches(1).await;
    let error = in_time(fixture.client.send(&Extract)).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    assert_eq!(fixture.extracted.load(SeqCst), 0);
    fixture.gate.open(1);
    waiting.await.unwrap().unwrap();
    in_time(fixture.client.send(&Extract)).await.unwrap();
    assert_eq!(fixture.extracted.load(SeqCst), 1);
}
