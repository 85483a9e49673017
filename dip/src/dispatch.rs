//! One message, from its body to the outcome of its handler.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{self, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{OwnedMutexGuard, Semaphore};
use tokio::task::coop::unconstrained;

use crate::codec::{Body, DecodeLimits};
use crate::context::Context;
use crate::guard::{Guarded, guarded};
use crate::handler::{Ack, HandlerEntry, Order, Request};
use crate::limits;
use crate::link::Scope;
use crate::mtype::Mtype;
use crate::peer::Peer;
use crate::registry::Destination;
use crate::reply::{self, Code, Outcome, Rejection, Work};
use crate::service::{Blocking, Hold, Lane, MEMORY_UNIT, Service, Unhandled};

/// A message that has arrived whole.
pub(crate) struct Arrival<'a> {
    pub(crate) mtype: Mtype,
    pub(crate) body: Body<'a>,
    /// Until when its sender waits, if that is known; the handler's own cap holds besides.
    pub(crate) deadline: Option<Instant>,
    /// The call it came with, to which messages to its sender belong; on the native wire.
    pub(crate) scope: Option<Scope>,
    /// Calls within calls are not held back by others: those they serve wait for them.
    pub(crate) nested: bool,
}

/// A handler under way, with all that waits and counts around it.
pub(crate) type Running = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// A message whose handler has been started, or that needs none.
pub(crate) enum Dispatched {
    Done(Outcome),
    Running(Started),
}

/// A handler that has been started.
pub(crate) struct Started {
    pub(crate) handler: &'static HandlerEntry,
    pub(crate) running: Running,
    pub(crate) context: Context,
    /// It can be dropped when nobody waits for it any more.
    pub(crate) stoppable: bool,
}

/// What dispatching a message needs of its connection.
pub(crate) struct Sender<'a> {
    pub(crate) service: &'a Arc<Service>,
    pub(crate) peer: &'a Peer,
    /// Room for messages that are acknowledged before they are handled.
    pub(crate) queue: &'a Arc<Semaphore>,
    /// Keeps ordered handlers of this connection apart.
    pub(crate) lane: &'a Lane,
    /// Whether a handler of that order would wait for one that waits for it.
    pub(crate) would_deadlock: &'a dyn Fn(Order) -> bool,
}

impl Sender<'_> {
    /// Decodes a message and starts its handler.
    pub(crate) fn dispatch(&self, arrival: Arrival<'_>) -> Dispatched {
        let routes = self.service.routes();
        let mtype = arrival.mtype;
        let to = routes.find(mtype.number());
        let handler = to.and_then(|to| to.handler).or(routes.fallback_of(mtype.number()));
        match (handler, to) {
            (Some(handler), to) => self.start(handler, to, arrival),
            (None, Some(to)) => Dispatched::Done(self.unhandled(to, arrival.body)),
            (None, None) => Dispatched::Done(Err(Rejection::unknown_type(mtype))),
        }
    }

    /// A known type that nobody handles.
    fn unhandled(&self, to: &Destination, body: Body<'_>) -> Outcome {
        to.counters.count.fetch_add(1, Relaxed);
        let (mtype, name) = (to.protocol.mtype, (to.protocol.name)());
        let acknowledged =
            to.protocol.builtin && self.service.unhandled() == Unhandled::Acknowledge;
        let answer = if acknowledged {
            let limits = self.decode_limits(body.len());
            guarded(|| (to.protocol.check)(body, &limits), name)
                .and_then(|checked| checked.map_err(|error| Rejection::from_decode(&error)))
        } else {
            Err(Rejection::no_handler(mtype))
        };
        if to.counters.unhandled.fetch_add(1, Relaxed) == 0 {
            tracing::warn!(%mtype, name, acknowledged, "a message that no handler takes (said once)");
        }
        to.counters.ended(answer.is_ok());
        answer.map(|()| Bytes::new())
    }

    fn start(
        &self,
        handler: &'static HandlerEntry,
        to: Option<&Arc<Destination>>,
        arrival: Arrival<'_>,
    ) -> Dispatched {
        let count = Count::new(to);
        let Arrival { mtype, body, deadline, scope, nested } = arrival;
        let (len, limits) = (body.len(), self.decode_limits(body.len()));
        let cap = self.service.limits().handler_cap;
        let own = limits::end(Instant::now(), cap);
        let deadline = deadline.map_or(own, |deadline| own.min(deadline));
        let peer = match scope {
            Some(scope) => self.peer.within(scope),
            None => self.peer.clone(),
        };
        let trace = scope.and_then(|scope| scope.trace);
        let context = Context::new(mtype, peer, deadline, trace, self.service.states().clone());
        if handler.order.is_some_and(self.would_deadlock) {
            let why = "a handler it serves holds the lane that its own handler has to wait for";
            let why = Rejection::of(Code::WouldDeadlock, "RuntimeError", why);
            return Dispatched::Done(count.end(Err(why)));
        }
        let request = Request { body, limits: &limits, context: &context };
        let running = match guarded(|| (handler.start)(request), handler.name).flatten() {
            Ok(running) => running,
            Err(rejection) => return Dispatched::Done(count.end(Err(rejection))),
        };
        let turn = Turn::of(handler.order.map(|order| match order {
            Order::Connection => self.lane.clone(),
            Order::Client => self.service.lanes().of_client(self.peer.client_id()),
            Order::Server => self.service.lanes().of_server(),
        }));
        let stoppable = handler.cancel && matches!(running.0, Work::Future(_));
        let (blocking, running_handlers) = (self.service.blocking(), self.service.running());
        let run = move |hold| run(running, blocking, hold, handler.name);
        let running: Running = match handler.ack {
            Ack::Handled => {
                let Ok(permit) = running_handlers
                    .try_acquire_owned()
                    .map(Some)
                    .or_else(|error| if nested { Ok(None) } else { Err(error) })
                else {
                    let why = overloaded("the server runs as many handlers as it may");
                    return Dispatched::Done(count.end(Err(why)));
                };
                let running = async move {
                    let turn = turn.come().await;
                    count.end(run(Box::new((turn, permit))).await)
                };
                if handler.cancel {
                    Box::pin(running)
                } else {
                    // Its call may end before it does.
                    Box::pin(async move {
                        let capped = tokio::time::timeout(cap, running);
                        capped.await.unwrap_or_else(|_| Err(capped_at(cap)))
                    })
                }
            }
            Ack::Received => {
                // What waits unanswered is not in the hands of its connection any more.
                let units = u32::try_from(len / MEMORY_UNIT).unwrap_or(u32::MAX);
                let Ok(memory) = self.service.memory().try_acquire_many_owned(units) else {
                    let why = overloaded("the server holds as many bytes as it may");
                    return Dispatched::Done(count.end(Err(why)));
                };
                let (service, queue) = (self.service.clone(), self.queue.clone());
                Box::pin(async move {
                    // Neither semaphore is ever closed.
                    let Ok(place) = queue.acquire_owned().await else { return Ok(Bytes::new()) };
                    service.spawn(async move {
                        let turn = turn.come().await;
                        let Ok(permit) = running_handlers.acquire_owned().await else { return };
                        let hold = Box::new((turn, permit, place, memory));
                        if let Ok(outcome) = tokio::time::timeout(cap, run(hold)).await {
                            _ = count.end(outcome);
                        }
                    });
                    Ok(Bytes::new())
                })
            }
        };
        Dispatched::Running(Started { handler, running, context, stoppable })
    }

    fn decode_limits(&self, len: usize) -> DecodeLimits {
        let mut limits = DecodeLimits::for_body(len);
        limits.pickle = self.service.limits().pickle;
        limits
    }
}

/// Runs a handler. `hold` is let go when its code has come to an end: a thread cannot be stopped, and
/// runs on when this future is dropped.
async fn run(
    running: reply::Running,
    blocking: Blocking,
    hold: Hold,
    name: &'static str,
) -> Outcome {
    match running.0 {
        Work::Future(future) => {
            let _hold = hold;
            Guarded::new(future, name).await
        }
        Work::Blocking(function) => blocking.run(function, hold, name).await,
    }
}

/// A turn in a lane. Its place is taken when it is made: tasks do not begin in the order in which they
/// are spawned.
enum Turn {
    /// There is no lane to wait in.
    Free,
    Waiting(Pin<Box<dyn Future<Output = OwnedMutexGuard<()>> + Send>>),
    Come(OwnedMutexGuard<()>),
}

impl Turn {
    fn of(lane: Option<Lane>) -> Self {
        let Some(lane) = lane else { return Self::Free };
        let mut lock = Box::pin(lane.lock_owned());
        // Who waits for the turn polls again, with a waker of its own. A task that has used up its time
        // would be told to come again, and get no place.
        let mut cx = task::Context::from_waker(Waker::noop());
        match pin!(unconstrained(lock.as_mut())).poll(&mut cx) {
            Poll::Ready(guard) => Self::Come(guard),
            Poll::Pending => Self::Waiting(lock),
        }
    }

    async fn come(self) -> Option<OwnedMutexGuard<()>> {
        match self {
            Self::Free => None,
            Self::Waiting(lock) => Some(lock.await),
            Self::Come(guard) => Some(guard),
        }
    }
}

/// The answer of a handler that was stopped.
pub(crate) fn capped_at(cap: Duration) -> Rejection {
    Rejection::of(Code::Deadline, "TimeoutError", format!("the handler was stopped after {cap:?}"))
}

fn overloaded(text: &str) -> Rejection {
    Rejection::of(Code::Overloaded, "ConnectionError", text)
}

/// Counts a message as in flight until it has ended, also when its handler is dropped.
struct Count {
    to: Option<Arc<Destination>>,
    ended: bool,
}

impl Count {
    fn new(to: Option<&Arc<Destination>>) -> Self {
        if let Some(to) = to {
            to.counters.count.fetch_add(1, Relaxed);
            to.counters.in_flight.fetch_add(1, Relaxed);
        }
        Self { to: to.cloned(), ended: false }
    }

    fn end(mut self, outcome: Outcome) -> Outcome {
        self.ended = true;
        if let Some(to) = &self.to {
            to.counters.ended(outcome.is_ok());
        }
        outcome
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        if let Some(to) = &self.to {
            to.counters.in_flight.fetch_sub(1, Relaxed);
            if !self.ended {
                to.counters.errors.fetch_add(1, Relaxed);
            }
        }
    }
}
