//! What the peer sends: checked, dispatched, answered, stopped.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{self, Poll};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::coop::unconstrained;

use super::Connection;
use super::admission::Admitting;
use super::answers::Answers;
use super::effort::{Effort, SLOW};
use super::run::{Hands, Origin, Run, WAITING};
use super::tasks::{self, Stopped};
use crate::codec::Body;
use crate::context::{Context, Envelope, GivenUp};
use crate::dispatch::{Arrival, Dispatched, Running, Sender};
use crate::handler::Order;
use crate::limits;
use crate::link::Link;
use crate::peer::Peer;
use crate::reply::{Code, Here, Places, Written};
use crate::service::{Lane, Service};
use crate::session::native::{
    Event, NoticeHead, Receipt, Received, RequestHead, RequestKey, Violation, Why,
};
use crate::wire::native::Trace;

/// Messages that are handled before what they were answered is written.
const BATCH: usize = 256;

/// Messages that are taken from the input together.
const TOGETHER: usize = 64;

/// What each of many messages may take before one of them is taken for slow.
const QUICK: Duration = Duration::from_micros(1);

impl Connection {
    /// Handles what was read, up to a batch. Some handlers of it would use up the time that tokio gives
    /// a task; what is ready for those behind them counts as ready all the same.
    pub(super) fn handle_input(&mut self, cx: &mut task::Context<'_>) -> Result<Batch, Violation> {
        let handled = poll_fn(|cx| Poll::Ready(self.handle_batch(cx)));
        match pin!(unconstrained(handled)).poll(cx) {
            Poll::Ready(handled) => handled,
            Poll::Pending => Ok(Batch { any: false, more: true }),
        }
    }

    fn handle_batch(&mut self, cx: &mut task::Context<'_>) -> Result<Batch, Violation> {
        let now = Instant::now();
        let mut batch = Batch { any: false, more: true };
        let mut handled = 0;
        let mut violation = None;
        while handled < BATCH && batch.more && violation.is_none() {
            let (event, taken) = self.take(now, &mut batch);
            violation = taken.err();
            if !self.input.received().is_empty() {
                let cap = limits::end(now, self.serving.service.limits().handler_cap);
                handled += self.take_all_in_hand(cap, cx);
            }
            self.follow(event);
        }
        if !self.answers.are_none() {
            self.answers.tell(&mut self.serving.link.lock().session);
        }
        if handled > 0 {
            let slow = now.elapsed() > SLOW + QUICK * handled as u32;
            self.timed = if slow { TIMED } else { self.timed.saturating_sub(1) };
        }
        violation.map_or(Ok(batch), Err)
    }

    /// Takes whole messages from the input, up to the first that has to do with one before it: what is
    /// given up stops before that begins which came behind it.
    fn take(&mut self, now: Instant, batch: &mut Batch) -> (Option<Event>, Result<(), Violation>) {
        let Self { serving, input, account, known, woken, answers, .. } = self;
        let mut state = serving.link.lock();
        state.begin_turn();
        answers.tell(&mut state.session);
        let mut admission = Admitting { serving, account, known };
        let session = &mut state.session;
        let taken = input.take(TOGETHER, session, &mut admission, now, &mut batch.any);
        let taken = taken.map(|more| batch.more = more);
        (state.poll_event(woken), taken)
    }

    /// Handles the messages that were taken, which have no more time than until `cap`; says how many.
    fn take_all_in_hand(&mut self, cap: Instant, cx: &mut task::Context<'_>) -> usize {
        let mut received = std::mem::take(self.input.received());
        let places = RefCell::new(Places::of_thread());
        let mut messages = received.as_mut_slice();
        while let [first, ..] = messages {
            // Each is looked at on its own while one of them may be slow.
            let mtype = mtype_of(first).filter(|_| self.timed == 0);
            let run = |mtype| self.run_together(mtype, messages, cap, &places, cx);
            let mut handled = mtype.map_or(0, run);
            if handled == 0 {
                self.take_in_hand(&mut messages[0], cap, cx);
                handled = 1;
            }
            messages = &mut messages[handled..];
            if self.answers.len() > WAITING {
                self.answers.tell(&mut self.serving.link.lock().session);
            }
        }
        places.into_inner().keep();
        let count = received.len();
        received.clear();
        *self.input.received() = received;
        count
    }

    /// Handles the messages in front that are of this type, if their handler may run here; says how many.
    fn run_together(
        &mut self,
        mtype: u32,
        messages: &mut [Received],
        cap: Instant,
        places: &RefCell<Places>,
        cx: &mut task::Context<'_>,
    ) -> usize {
        let Self { serving, input, account, known, spare, answers, .. } = self;
        let to = match known {
            Some(known) if known.mtype == mtype => &known.to,
            _ => match serving.service.routes().find(mtype) {
                Some(to) => to,
                None => return 0,
            },
        };
        let Answers { listed, replies } = answers;
        let here = Here { waker: cx.waker(), places, replies };
        let hands = Hands { serving, input, account, listed, spare, here: &here, cap };
        let (handled, left) = Run::of(hands, messages, to);
        match left {
            Some((Origin::Call(key), running)) => {
                let from = self.answers.begin();
                self.run_call(key, from, running, cx);
            }
            Some((Origin::Notice(receipt), running)) => self.run_notice(receipt, running, cx),
            None => {}
        }
        handled
    }

    /// Handles a message, which has no more time than until `cap`.
    fn take_in_hand(&mut self, received: &mut Received, cap: Instant, cx: &mut task::Context<'_>) {
        let Self { serving, input, account, spare, .. } = self;
        match received {
            &mut Received::Refused { mtype, code } => refused(&serving.service, mtype, code),
            Received::Request { head, body } => {
                let &mut RequestHead { key, mtype, deadline, depth, ref trace } = head;
                let (body, reserved) = input.body(body);
                let (request, trace) = (Some(key), trace.as_deref());
                let arrival = serving.arrival(mtype, request, trace, deadline, depth > 0);
                let dispatched = serving.dispatch(&arrival, body, spare);
                account.release(reserved);
                let from = self.answers.begin();
                match dispatched {
                    Dispatched::Done(written) => self.answer(key, from, written),
                    Dispatched::Running(running) => self.run_call(key, from, running, cx),
                }
            }
            // Its deadline was for the credit it needed.
            Received::Notice { head, body } => {
                let NoticeHead { receipt, mtype, trace } = head;
                let (body, reserved) = input.body(body);
                let (receipt, trace) = (std::mem::take(receipt), trace.as_deref());
                let arrival = serving.arrival(*mtype, None, trace, cap, false);
                let dispatched = serving.dispatch(&arrival, body, spare);
                account.release(reserved);
                match dispatched {
                    Dispatched::Done(_) => self.answers.listed.over.add(receipt),
                    Dispatched::Running(running) => self.run_notice(receipt, running, cx),
                }
            }
        }
    }

    /// Runs the handler of a call: to its end if it need not wait, or else as a task.
    fn run_call(
        &mut self,
        key: RequestKey,
        from: usize,
        mut running: Running,
        cx: &mut task::Context<'_>,
    ) {
        if let Some(order) = running.handler().order {
            self.serving.link.lock().session.hold_lane(key, number(order));
        }
        let Poll::Ready(written) = self.poll_first(&mut running, cx) else {
            self.answers.forget(from);
            let Serving { link, service, .. } = &self.serving;
            return self.tasks.start(key, running, link, service);
        };
        self.answer(key, from, written);
        self.spare.set(Some(running.into_context()));
    }

    /// A call was handled where it was read: its reply is behind others, from there on.
    fn answer(&mut self, key: RequestKey, from: usize, written: Written) {
        match written {
            Ok(reply) => self.answers.end(from, key, reply),
            Err(why) => {
                self.answers.forget(from);
                self.serving.link.refuse(key, &why);
            }
        }
    }

    /// Runs the handler of a one-way message: nothing stops it but the end of the server.
    fn run_notice(&mut self, receipt: Receipt, mut running: Running, cx: &mut task::Context<'_>) {
        let from = self.answers.len();
        let polled = self.poll_first(&mut running, cx);
        // Nobody waits for what it has replied.
        self.answers.forget(from);
        if polled.is_ready() {
            self.spare.set(Some(running.into_context()));
            return self.answers.listed.over.add(receipt);
        }
        let Serving { link, service, .. } = &self.serving;
        let (link, own, cap) = (link.clone(), service.clone(), service.limits().handler_cap);
        service.spawn(async move {
            if tokio::time::timeout(cap, running.finish(&own)).await.is_err() {
                let progress = running.context().progress();
                let stops = progress.withdraw() || running.is_stoppable();
                progress.give_up(GivenUp::Deadline);
                if !stops {
                    _ = running.finish(&own).await;
                }
            }
            drop(running);
            link.notice_ended(receipt);
        });
    }

    /// Polls a handler where it is; its reply is behind the others.
    fn poll_first(&mut self, running: &mut Running, cx: &mut task::Context<'_>) -> Poll<Written> {
        let service = &*self.serving.service;
        if running.is_apart() {
            running.wait(service);
            return Poll::Pending;
        }
        let effort = (self.timed > 0).then(Effort::begin);
        let polled = running.poll(service, cx, self.answers.replies.get_mut());
        if let Some(effort) = effort
            && let Some(to) = service.routes().find(running.context().mtype().number())
        {
            if !effort.is_slow() {
                to.counters.slow.quick();
            } else if to.counters.slow.slow() {
                let handler = running.handler().name;
                tracing::debug!(handler, "a task of its own from now on (said once)");
            }
        }
        polled
    }

    /// Follows what has happened in the session, and wakes who waited for it.
    pub(super) fn follow_events(&mut self) {
        loop {
            let event = self.serving.link.lock().poll_event(&mut self.woken);
            let last = event.is_none();
            self.follow(event);
            if last {
                return;
            }
        }
    }

    pub(super) fn follow(&mut self, event: Option<Event>) {
        if event.is_none() && self.woken.is_empty() {
            return;
        }
        for waker in self.woken.drain(..) {
            waker.wake();
        }
        match event {
            Some(Event::Stop(key, why)) => self.stop(key, why),
            Some(Event::Goodbye { reason, text }) => {
                self.serving.link.retire();
                tracing::debug!(
                    peer = self.serving.peer.id().0,
                    reason,
                    text,
                    "the peer takes no more"
                );
            }
            Some(Event::Woken(_)) | None => {}
        }
    }

    /// Nobody waits for a call of the peer any more.
    fn stop(&self, key: RequestKey, why: Why) {
        let given_up = match why {
            Why::Cancelled => GivenUp::Caller,
            Why::Deadline | Why::Cap => GivenUp::Deadline,
            Why::Lost => GivenUp::Connection,
        };
        let stopped = self.tasks.stop(key, given_up);
        // A caller that has given up does not wait for it; that its permit stays taken keeps it from
        // starting ever more of what cannot be stopped.
        if stopped == Stopped::RunsOn && why == Why::Cap {
            self.serving.link.refuse(key, &tasks::stopped(Some(given_up)));
        }
    }

    /// This side waits no longer.
    pub(super) fn stop_all(&self) {
        for key in self.tasks.stop_all() {
            self.serving.link.refuse(key, &tasks::stopped(Some(GivenUp::Connection)));
        }
    }
}

/// What messages of a connection are handled with.
pub(super) struct Serving {
    pub(super) service: Arc<Service>,
    pub(super) link: Arc<Link>,
    pub(super) peer: Peer,
    queue: Arc<Semaphore>,
    lane: Lane,
}

impl Serving {
    pub(super) fn new(service: Arc<Service>, link: Arc<Link>, peer: Peer) -> Self {
        let queued = service.limits().queued_messages.clamp(1, Semaphore::MAX_PERMITS);
        let queue = Arc::new(Semaphore::new(queued));
        Self { service, link, peer, queue, lane: Lane::default() }
    }

    fn arrival<'a>(
        &'a self,
        mtype: u32,
        request: Option<RequestKey>,
        trace: Option<&'a Trace>,
        deadline: Instant,
        nested: bool,
    ) -> Arrival<'a> {
        let to = self.service.routes().find(mtype);
        if let Some(to) = to {
            to.counters.count.fetch_add(1, Relaxed);
        }
        let known = to.map(|to| to.protocol);
        Arrival {
            envelope: Envelope { number: mtype, known, deadline, native: true, request, trace },
            to,
            nested,
        }
    }

    /// Decodes a message and starts its handler.
    fn dispatch(
        &self,
        arrival: &Arrival<'_>,
        body: Body<'_>,
        spare: &Cell<Option<Context>>,
    ) -> Dispatched {
        let Self { service, link, peer, queue, lane } = self;
        let request = arrival.envelope.request;
        let holds = |order| {
            let holds = |key| link.lock().session.ancestor_holds(key, number(order));
            request.is_some_and(holds)
        };
        let sender =
            Sender { service, peer, queue, spare, lane, would_deadlock: &holds, here: None };
        sender.dispatch(arrival, body)
    }
}

/// What was handled together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) any: bool,
    /// There may be more in the input.
    pub(super) more: bool,
}

/// For so many batches handlers are timed one by one after a batch that was slow: to ask for the time
/// around each of them costs as much as many handlers.
const TIMED: u8 = 64;

/// What the session calls the lane.
fn number(order: Order) -> u8 {
    match order {
        Order::Connection => 0,
        Order::Client => 1,
        Order::Server => 2,
    }
}

fn mtype_of(received: &Received) -> Option<u32> {
    match received {
        Received::Request { head, .. } => Some(head.mtype),
        Received::Notice { head, .. } => Some(head.mtype),
        Received::Refused { .. } => None,
    }
}

fn refused(service: &Service, mtype: u32, code: u16) {
    if code == Code::UnknownType.number() {
        service.totals().unknown.fetch_add(1, Relaxed);
    } else {
        service.routes().refused(mtype);
    }
}
