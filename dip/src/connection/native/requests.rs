//! What the peer sends: checked, dispatched, answered, stopped.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{self, Poll};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::coop::unconstrained;

use super::Connection;
use super::admission::Admitting;
use super::tasks::Task;
use crate::codec::Body;
use crate::dispatch::{Arrival, Dispatched, Running, Sender, Started};
use crate::handler::{HandlerEntry, Order};
use crate::link::{Link, Scope};
use crate::mtype::Mtype;
use crate::peer::Peer;
use crate::registry::{Routes, Slowness};
use crate::reply::{Code, Outcome, Rejection};
use crate::service::{Lane, Service};
use crate::session::native::{Event, Receipt, Received, RequestKey, Violation, Why};

/// Handlers that are run before what they answered is written.
const BATCH: usize = 256;

impl Connection {
    /// Handles what was read, up to a batch; whether there was anything.
    pub(super) fn handle_input(&mut self, cx: &mut task::Context<'_>) -> Result<bool, Violation> {
        let now = Instant::now();
        let mut busy = false;
        for _ in 0..BATCH {
            let Self { serving, input, account, woken, .. } = &mut *self;
            let mut state = serving.link.lock();
            let mut admission = Admitting { serving, account };
            let received = loop {
                match input.next(&mut state.session, &mut admission, now)? {
                    Some(Received::Nothing) => busy = true,
                    received => break received,
                }
            };
            let event = state.poll_event(woken);
            drop(state);
            let Some(received) = received else {
                self.follow(event);
                return Ok(busy);
            };
            busy = true;
            match received {
                Received::Nothing => {}
                Received::Refused { mtype, code } => refused(&serving.service, mtype, code),
                Received::Request { key, mtype, body, deadline, depth, trace, reserved } => {
                    let scope = Scope { request: Some(key), deadline: Some(deadline), trace };
                    let dispatched = serving.dispatch(mtype, body, scope, depth > 0);
                    account.release(reserved);
                    self.run_call(key, mtype, dispatched, cx);
                }
                // Its deadline was for the credit it needed.
                Received::Notice { receipt, mtype, body, trace, reserved, .. } => {
                    let scope = Scope { request: None, deadline: None, trace };
                    let dispatched = serving.dispatch(mtype, body, scope, false);
                    account.release(reserved);
                    self.run_notice(receipt, mtype, dispatched, cx);
                }
            }
            self.follow(event);
        }
        Ok(true)
    }

    /// Runs the handler of a call: to its end if it need not wait, or else as a task.
    fn run_call(
        &mut self,
        key: RequestKey,
        mtype: u32,
        dispatched: Dispatched,
        cx: &mut task::Context<'_>,
    ) {
        let Started { handler, mut running, context, stoppable } = match dispatched {
            Dispatched::Done(outcome) => return self.serving.link.answer(key, outcome),
            Dispatched::Running(started) => started,
        };
        if let Some(order) = handler.order {
            self.serving.link.lock().session.hold_lane(key, number(order));
        }
        if let Poll::Ready(outcome) =
            poll_first(self.serving.service.routes(), handler, mtype, &mut running, cx)
        {
            return self.serving.link.answer(key, outcome);
        }
        let (link, tasks) = (self.serving.link.clone(), self.tasks.clone());
        let task = async move {
            let outcome = running.await;
            tasks.remove(key);
            link.answer(key, outcome);
        };
        self.tasks.start(key, || {
            let abort = self.serving.service.spawn(task);
            Task { context, abort: stoppable.then_some(abort) }
        });
    }

    /// Runs the handler of a one-way message: nothing stops it but the end of the server.
    fn run_notice(
        &mut self,
        receipt: Receipt,
        mtype: u32,
        dispatched: Dispatched,
        cx: &mut task::Context<'_>,
    ) {
        let Started { handler, mut running, context, stoppable } = match dispatched {
            Dispatched::Done(_) => return self.serving.link.notice_ended(receipt),
            Dispatched::Running(started) => started,
        };
        if poll_first(self.serving.service.routes(), handler, mtype, &mut running, cx).is_ready() {
            return self.serving.link.notice_ended(receipt);
        }
        let (link, cap) = (self.serving.link.clone(), self.serving.service.limits().handler_cap);
        self.serving.service.spawn(async move {
            if tokio::time::timeout(cap, &mut running).await.is_err() {
                context.cancel();
                if !stoppable {
                    _ = running.await;
                }
            }
            link.notice_ended(receipt);
        });
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

    fn follow(&mut self, event: Option<Event>) {
        for waker in self.woken.drain(..) {
            waker.wake();
        }
        match event {
            Some(Event::Stop(key, why)) => self.stop(key, why),
            Some(Event::Goodbye { reason, text }) => {
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
        let Some(Task { context, abort }) = self.tasks.stop(key) else { return };
        context.cancel();
        // What cannot be stopped runs on, and answers when it is done.
        let Some(abort) = abort else { return };
        abort.abort();
        let rejection = match why {
            Why::Cancelled => {
                Rejection::of(Code::Cancelled, "CancelledError", "its caller gave up")
            }
            Why::Deadline => Rejection::of(Code::Deadline, "TimeoutError", "its time was over"),
            Why::Lost => return,
        };
        self.serving.link.answer(key, Err(rejection));
    }

    /// This side waits no longer.
    pub(super) fn stop_all(&self) {
        for (key, task) in self.tasks.remove_all() {
            task.context.cancel();
            if let Some(abort) = task.abort {
                abort.abort();
            }
            let text = "the connection was closed before the handler had ended";
            let rejection = Rejection::of(Code::Cancelled, "ConnectionError", text);
            self.serving.link.answer(key, Err(rejection));
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

    /// Decodes a message and starts its handler.
    fn dispatch(&self, mtype: u32, body: Body<'_>, scope: Scope, nested: bool) -> Dispatched {
        let Self { service, link, peer, queue, lane } = self;
        let holds = |order| {
            let holds = |key| link.lock().session.ancestor_holds(key, number(order));
            scope.request.is_some_and(holds)
        };
        let known = service.routes().find(mtype);
        let arrival = Arrival {
            mtype: known.map_or(Mtype::from_number(mtype), |to| to.protocol.mtype),
            body,
            deadline: scope.deadline,
            scope: Some(scope),
            nested,
        };
        Sender { service, peer, queue, lane, would_deadlock: &holds }.dispatch(arrival)
    }
}

/// Polls a handler where it is. Others of its task have used up the time that tokio gives a task;
/// what is ready counts as ready all the same.
fn poll_first(
    routes: &Routes,
    handler: &HandlerEntry,
    mtype: u32,
    running: &mut Running,
    cx: &mut task::Context<'_>,
) -> Poll<Outcome> {
    let slow = routes.find(mtype).map(|to| &to.counters.slow);
    if handler.spawn || slow.is_some_and(Slowness::is_slow) {
        return Poll::Pending;
    }
    let begun = Instant::now();
    let polled = pin!(unconstrained(running)).poll(cx);
    let took = begun.elapsed();
    let Some(slow) = slow else { return polled };
    if took <= SLOW {
        slow.quick();
    } else if slow.slow() {
        tracing::debug!(handler = handler.name, ?took, "a task of its own from now on (said once)");
    }
    polled
}

/// A handler that keeps its connection busy for longer than this, time and again, becomes a task.
const SLOW: Duration = Duration::from_micros(100);

/// What the session calls the lane.
fn number(order: Order) -> u8 {
    match order {
        Order::Connection => 0,
        Order::Client => 1,
        Order::Server => 2,
    }
}

fn refused(service: &Service, mtype: u32, code: u16) {
    if code == Code::UnknownType.number() {
        service.totals().unknown.fetch_add(1, Relaxed);
    } else {
        service.routes().refused(mtype);
    }
}
