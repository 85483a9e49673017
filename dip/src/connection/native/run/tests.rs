use std::cell::RefCell;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Waker;
use std::time::Duration;

use super::*;
use crate::builtin::{Stderr, Stdout};
use crate::connection::native::answers::Answers;
use crate::handler::{Message, Requests, a_message, an_extractor};
use crate::link::Link;
use crate::mtype::Mtype;
use crate::peer::Peer;
use crate::protocol::{NoError, Once, Protocol, ProtocolEntry};
use crate::reply::Code;
use crate::service::{Memory, Service, Setup};
use crate::session::native::{Admission, Refusal, Session, Side, Times};
use crate::wire::hello::Terms;
use crate::wire::native::{Header, Kind};

static STDOUT: ProtocolEntry = ProtocolEntry::of::<Stdout>();

fn stdout() -> Message<Stdout, (), NoError, Once> {
    a_message::<Stdout, _, _, _>()
}

/// What its message says comes next.
async fn does(message: Stdout, _: Context) {
    match &*message.0 {
        "waits" => pending().await,
        "panics" => std::panic::resume_unwind(Box::new("amid its code")),
        _ => {}
    }
}

fn blocks(_: Stdout, _: Context) {}

const fn entry(start: fn(&mut Requests<'_>)) -> HandlerEntry {
    HandlerEntry::new("test", &does, a_message::<Stdout, _, _, _>(), &[], start)
}

static DOES: HandlerEntry = entry(|requests| {
    requests.each(|request| {
        let (message, reply, around) = request.decode(stdout())?;
        let context = an_extractor().extract(around)?;
        reply.with_output_of(does(message, context))
    });
});

static BLOCKS: HandlerEntry = entry(|requests| {
    requests.each(|request| {
        let (message, reply, around) = request.decode(stdout())?;
        let context = an_extractor().extract(around)?;
        reply.with_result_of(move || blocks(message, context))
    });
});

static SPAWNS: HandlerEntry = entry(|_| panic!("it is a task of its own")).spawn();

/// Takes everything in.
struct Everything;

impl Admission for Everything {
    fn max_len(&mut self, _: u32, _: bool) -> Result<u64, Box<Refusal>> {
        Ok(u64::MAX)
    }

    fn reserve(&mut self, _: u64) -> bool {
        true
    }

    fn release(&mut self, _: u64) {}
}

/// What became of messages that came together.
struct Ran {
    handled: usize,
    left: Option<(Origin, Running)>,
    /// One-way messages that are over.
    over: usize,
    errors: u64,
    counted: u64,
    spare: Option<Context>,
}

fn notice(mtype: u32, body: &str) -> Vec<u8> {
    let header = Header { mtype, body: body.len() as u32, ..Header::new(Kind::Notify, 0) };
    [&header.encode(), body.as_bytes()].concat()
}

fn run(handler: &'static HandlerEntry, bodies: &[&str]) -> Ran {
    let number = Stdout::MTYPE.number();
    let frames: Vec<u8> = bodies.iter().flat_map(|body| notice(number, body)).collect();
    run_frames(handler, &frames)
}

fn run_frames(handler: &'static HandlerEntry, frames: &[u8]) -> Ran {
    let service = Service::assemble(None, Setup::default(), Vec::new()).unwrap();
    let (now, terms) = (Instant::now(), Terms::default());
    let times = Times { cap: Duration::MAX, credit: Duration::MAX, ping: None };
    let mut session = Session::new(Side::Acceptor, terms, terms, times, now);
    let mut input = Input::new();
    input.feed(frames);
    input.take(usize::MAX, &mut session, &mut Everything, now, &mut false).unwrap();
    let mut received = std::mem::take(input.received());

    let mut account = Account::new(Memory::new(service.memory()));
    let link = Arc::new(Link::new(session, Vec::new(), true));
    let serving = Serving::new(service, link, Peer::of_this_process(None));
    let (mut answers, spare, places) = (Answers::default(), Cell::default(), RefCell::default());
    let Answers { listed, replies } = &mut answers;
    let here = Here { waker: Waker::noop(), places: &places, replies };
    let to =
        Destination { protocol: &STDOUT, handler: Some(handler), counters: Default::default() };
    let hands = Hands {
        serving: &serving,
        input: &input,
        account: &mut account,
        listed,
        spare: &spare,
        here: &here,
        cap: now + Duration::from_secs(60),
    };
    let (handled, left) = Run::of(hands, received.as_mut_slice(), &to);
    Ran {
        handled,
        left,
        over: answers.listed.over.count(),
        errors: to.counters.errors.load(Relaxed),
        counted: to.counters.count.load(Relaxed),
        spare: spare.take(),
    }
}

#[tokio::test]
async fn handlers_that_need_not_wait_have_ended_and_leave_their_context() {
    let ran = run(&DOES, &["1", "2", "3"]);
    assert_eq!((ran.handled, ran.over, ran.counted, ran.errors), (3, 3, 3, 0));
    assert!(ran.left.is_none() && ran.spare.is_some());
}

#[tokio::test]
async fn a_handler_that_waits_has_begun_and_none_behind_it_has() {
    let ran = run(&DOES, &["1", "waits", "3"]);
    assert_eq!((ran.handled, ran.over, ran.counted), (2, 1, 2));
    let Some((Origin::Notice(_), running)) = ran.left else { panic!("it waits") };
    assert!(running.is_apart() && !running.context().progress().withdraw());
}

#[tokio::test]
async fn a_blocking_handler_has_not_begun_when_its_arguments_are_there() {
    let ran = run(&BLOCKS, &["1", "2"]);
    assert_eq!((ran.handled, ran.over), (1, 0));
    let Some((Origin::Notice(_), running)) = ran.left else { panic!("it waits") };
    assert!(running.context().progress().withdraw());
}

#[tokio::test]
async fn a_panic_ends_one_message_and_not_those_behind_it() {
    let ran = run(&DOES, &["1", "panics", "3", "panics"]);
    assert_eq!((ran.handled, ran.over, ran.counted, ran.errors), (4, 4, 4, 2));
    assert!(ran.left.is_none());
}

/// Before there is a future, where nobody but the run itself looks out for it.
#[tokio::test]
async fn so_does_a_panic_while_a_message_is_decoded() {
    static BURSTS: HandlerEntry = entry(|requests| {
        requests.each(|request| {
            let (message, ..) = request.decode(stdout())?;
            match &*message.0 {
                "panics" => std::panic::resume_unwind(Box::new("between its arguments")),
                _ => Err(Rejection::of(Code::Rejected, "ValueError", "no")),
            }
        });
    });
    let ran = run(&BURSTS, &["panics", "2", "panics"]);
    assert_eq!((ran.handled, ran.over, ran.errors), (3, 3, 3));
}

#[tokio::test]
async fn it_ends_in_front_of_a_message_of_another_type() {
    let [stdout, stderr] = [Stdout::MTYPE, Stderr::MTYPE].map(Mtype::number);
    let frames =
        [notice(stdout, "1"), notice(stdout, "2"), notice(stderr, "3"), notice(stdout, "4")];
    let ran = run_frames(&DOES, &frames.concat());
    assert_eq!((ran.handled, ran.over, ran.counted), (2, 2, 2));
}

#[tokio::test]
async fn a_handler_that_is_a_task_of_its_own_does_not_run_here() {
    let ran = run(&SPAWNS, &["1"]);
    assert_eq!((ran.handled, ran.over, ran.counted), (0, 0, 0));
}
