//! What the peer sends: checked, dispatched, answered, stopped.

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
use super::tasks::{self, Stopped};
use crate::codec::{Body, Encoded};
use crate::context::GivenUp;
use crate::dispatch::{Arrival, Dispatched, Running, Sender};
use crate::handler::Order;
use crate::link::{Link, Scope};
use crate::mtype::Mtype;
use crate::peer::Peer;
use crate::registry::Slowness;
use crate::reply::{Code, Written};
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
            let (received, event) = loop {
                let received = input.next(&mut state.session, &mut admission, now)?;
                // What is given up stops before that begins which came behind it.
                let event = state.poll_event(woken);
                match received {
                    Some(Received::Nothing) if event.is_none() => busy = true,
                    received => break (received, event),
                }
            };
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
                    self.run_call(key, dispatched, cx);
                }
                // Its deadline was for the credit it needed.
                Received::Notice { receipt, mtype, body, trace, reserved, .. } => {
                    let scope = Scope { request: None, deadline: None, trace };
                    let dispatched = serving.dispatch(mtype, body, scope, false);
                    account.release(reserved);
                    self.run_notice(receipt, dispatched, cx);
                }
            }
            self.follow(event);
        }
        Ok(true)
    }

    /// Runs the handler of a call: to its end if it need not wait, or else as a task.
    fn run_call(&mut self, key: RequestKey, dispatched: Dispatched, cx: &mut task::Context<'_>) {
        let mut running = match dispatched {
            Dispatched::Done(outcome) => return self.serving.link.answer(key, outcome),
            Dispatched::Running(running) => running,
        };
        if let Some(order) = running.handler().order {
            self.serving.link.lock().session.hold_lane(key, number(order));
        }
        match self.poll_first(&mut running, cx) {
            Poll::Ready(Ok(Encoded::Copied)) => {
                self.serving.link.reply(key, Body::from(&self.reply[..]));
            }
            Poll::Ready(Ok(Encoded::Shared(body))) => {
                self.serving.link.reply(key, body.into());
            }
            Poll::Ready(Err(why)) => self.serving.link.refuse(key, &why),
            Poll::Pending => {
                let Serving { link, service, .. } = &self.serving;
                self.tasks.start(key, running, link, service);
            }
        }
    }

    /// Runs the handler of a one-way message: nothing stops it but the end of the server.
    fn run_notice(&mut self, receipt: Receipt, dispatched: Dispatched, cx: &mut task::Context<'_>) {
        let mut running = match dispatched {
            Dispatched::Done(_) => return self.serving.link.notice_ended(receipt),
            Dispatched::Running(running) => running,
        };
        if self.poll_first(&mut running, cx).is_ready() {
            return self.serving.link.notice_ended(receipt);
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

    /// Polls a handler where it is; its reply is in `self.reply`. Others of its task have used up the
    /// time that tokio gives a task; what is ready counts as ready all the same.
    fn poll_first(&mut self, running: &mut Running, cx: &mut task::Context<'_>) -> Poll<Written> {
        self.reply.clear();
        let (service, handler) = (&*self.serving.service, running.handler());
        let to = service.routes().find(running.context().mtype().number());
        let slow = to.map(|to| &to.counters.slow);
        if handler.spawn || slow.is_some_and(Slowness::is_slow) {
            running.wait(service);
            return Poll::Pending;
        }
        let begun = Instant::now();
        let first = poll_fn(|cx| running.poll(service, cx, &mut self.reply));
        let polled = pin!(unconstrained(first)).poll(cx);
        let took = begun.elapsed();
        let Some(slow) = slow else { return polled };
        if took <= SLOW {
            slow.quick();
        } else if slow.slow() {
            tracing::debug!(
                handler = handler.name,
                ?took,
                "a task of its own from now on (said once)"
            );
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
