use std::cell::RefCell;
use std::future::pending;
use std::task::Waker;
use std::time::Instant;

use super::*;
use crate::builtin::Stdout;
use crate::handler::{Message, a_message, an_extractor};
use crate::protocol::{NoError, Once, Protocol, ProtocolEntry};
use crate::service::Setup;

static STDOUT: ProtocolEntry = ProtocolEntry::of::<Stdout>();

fn stdout() -> Message<Stdout, (), NoError, Once> {
    a_message::<Stdout, _, _, _>()
}

async fn ends(_: Stdout, _: Context) {}

async fn waits(_: Stdout) {
    pending::<()>().await;
}

fn blocks(_: Stdout, _: Context) {}

static ENDS: HandlerEntry =
    HandlerEntry::new("ends", &ends, a_message::<Stdout, _, _, _>(), &[], |request| {
        let (message, reply, around) = request.decode(stdout())?;
        let context = an_extractor().extract(around)?;
        reply.with_output_of(ends(message, context))
    });

static WAITS: HandlerEntry =
    HandlerEntry::new("waits", &waits, a_message::<Stdout, _, _, _>(), &[], |request| {
        let (message, reply, _) = request.decode(stdout())?;
        reply.with_output_of(waits(message))
    });

static BLOCKS: HandlerEntry =
    HandlerEntry::new("blocks", &blocks, a_message::<Stdout, _, _, _>(), &[], |request| {
        let (message, reply, around) = request.decode(stdout())?;
        let context = an_extractor().extract(around)?;
        reply.with_result_of(move || blocks(message, context))
    });

/// What becomes of a message where its handler may run at once, and the context that is left.
fn dispatch(handler: &'static HandlerEntry) -> (Dispatched, Option<Context>) {
    let service = Service::assemble(None, Setup::default(), Vec::new()).unwrap();
    let peer = Peer::of_this_process(None);
    let (queue, lane, spare) = (Arc::new(Semaphore::new(1)), Lane::default(), Cell::default());
    let sender = Sender {
        service: &service,
        peer: &peer,
        queue: &queue,
        spare: &spare,
        lane: &lane,
        would_deadlock: &|_| false,
    };
    let to =
        Destination { protocol: &STDOUT, handler: Some(handler), counters: Default::default() };
    let envelope = Envelope {
        number: Stdout::MTYPE.number(),
        known: Some(&STDOUT),
        deadline: Instant::now() + Duration::from_secs(60),
        native: true,
        request: None,
        trace: None,
    };
    let arrival = Arrival { envelope, to: Some(&Arc::new(to)), nested: false };
    let (places, replies) = (RefCell::default(), RefCell::default());
    let here = Here { waker: Waker::noop(), places: &places, replies: &replies };
    let dispatched = sender.dispatch(&arrival, Body::from(&b"text"[..]), Some(&here));
    (dispatched, spare.take())
}

#[tokio::test]
async fn a_handler_that_need_not_wait_has_ended_and_leaves_its_context() {
    let (dispatched, spare) = dispatch(&ENDS);
    assert!(matches!(dispatched, Dispatched::Done(Ok(_))) && spare.is_some());
}

#[tokio::test]
async fn a_handler_that_waits_has_begun() {
    let (Dispatched::Running(running), None) = dispatch(&WAITS) else { panic!("it waits") };
    assert!(running.is_apart() && !running.context().progress().withdraw());
}

#[tokio::test]
async fn a_blocking_handler_has_not_begun_when_its_arguments_are_there() {
    let (Dispatched::Running(running), None) = dispatch(&BLOCKS) else { panic!("it waits") };
    assert!(running.context().progress().withdraw());
}
