//! One message, from its body to the outcome of its handler.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::{OwnedMutexGuard, Semaphore};
use tokio::task::coop::unconstrained;

use crate::codec::{Body, DecodeLimits};
use crate::context::Context;
use crate::guard::{Guarded, guarded};
use crate::handler::{Ack, HandlerEntry, Order, Request};
use crate::limits;
use crate::mtype::Mtype;
use crate::peer::Peer;
use crate::registry::Destination;
use crate::reply::{self, Code, Outcome, Rejection, Work};
use crate::service::{Blocking, Hold, Lane, MEMORY_UNIT, Service, Unhandled};

/// What is to be answered.
pub(crate) type Answer = Result<(), Rejection>;

/// A handler under way, with all that waits and counts around it.
pub(crate) type Running = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A message whose handler has been started, or that needs none.
pub(crate) enum Dispatched {
    Done(Answer),
    Running(Running),
}

/// What dispatching a message needs of its connection.
pub(crate) struct Sender<'a> {
    pub(crate) service: &'a Arc<Service>,
    pub(crate) peer: &'a Peer,
    /// Room for messages that are acknowledged before they are handled.
    pub(crate) queue: &'a Arc<Semaphore>,
    /// Keeps ordered handlers of this connection apart.
    pub(crate) lane: &'a Lane,
}

impl Sender<'_> {
    /// Decodes a message and starts its handler.
    pub(crate) fn dispatch(&self, mtype: u8, body: Bytes) -> Dispatched {
        let routes = self.service.routes();
        match routes.byte(mtype) {
            Some(to) => match to.handler.or(routes.fallback(mtype)) {
                Some(handler) => self.start(handler, Some(to), mtype, body),
                None => Dispatched::Done(self.unhandled(to, body)),
            },
            None => match routes.fallback(mtype) {
                Some(handler) => self.start(handler, None, mtype, body),
                None => Dispatched::Done(Err(Rejection::unknown_type(mtype))),
            },
        }
    }

    /// A known type that nobody handles.
    fn unhandled(&self, to: &Destination, body: Bytes) -> Answer {
        to.counters.count.fetch_add(1, Relaxed);
        let (mtype, name) = (to.protocol.mtype, (to.protocol.name)());
        let acknowledged =
            to.protocol.builtin && self.service.unhandled() == Unhandled::Acknowledge;
        let answer = if acknowledged {
            let limits = self.decode_limits(body.len());
            let check = || (to.protocol.check)(Body::from(body), &limits);
            guarded(check, name)
                .and_then(|checked| checked.map_err(|error| Rejection::from_decode(&error)))
        } else {
            Err(Rejection::no_handler(mtype))
        };
        if to.counters.unhandled.fetch_add(1, Relaxed) == 0 {
            tracing::warn!(%mtype, name, acknowledged, "a message that no handler takes (said once)");
        }
        to.counters.ended(&answer);
        answer
    }

    fn start(
        &self,
        handler: &'static HandlerEntry,
        to: Option<&Arc<Destination>>,
        mtype: u8,
        body: Bytes,
    ) -> Dispatched {
        let count = Count::new(to);
        let (len, limits) = (body.len(), self.decode_limits(body.len()));
        let cap = self.service.limits().handler_cap;
        let deadline = limits::end(Instant::now(), cap);
        let context = Context::new(
            Mtype::byte(mtype),
            self.peer.clone(),
            deadline,
            self.service.states().clone(),
        );
        let request = Request { body: Body::from(body), limits: &limits, context: &context };
        let running = match guarded(|| (handler.start)(request), handler.name).flatten() {
            Ok(running) => running,
            Err(rejection) => return Dispatched::Done(count.end(Err(rejection))),
        };
        let mut turn = Turn::of(handler.order.map(|order| match order {
            Order::Connection => self.lane.clone(),
            Order::Client => self.service.lanes().of_client(self.peer.client_id()),
            Order::Server => self.service.lanes().of_server(),
        }));
        let (blocking, running_handlers) = (self.service.blocking(), self.service.running());
        let run = move |hold| run(running, blocking, hold, handler.name);
        match handler.ack {
            Ack::Handled => {
                let Ok(permit) = running_handlers.try_acquire_owned() else {
                    let why = overloaded("the server runs as many handlers as it may");
                    return Dispatched::Done(count.end(Err(why)));
                };
                Dispatched::Running(Box::pin(async move {
                    let turn = turn.come().await;
                    count.end(run(Box::new((turn, permit))).await.map(drop))
                }))
            }
            Ack::Received => {
                // What waits unanswered is not in the hands of its connection any more.
                let units = u32::try_from(len / MEMORY_UNIT).unwrap_or(u32::MAX);
                let Ok(memory) = self.service.memory().try_acquire_many_owned(units) else {
                    let why = overloaded("the server holds as many bytes as it may");
                    return Dispatched::Done(count.end(Err(why)));
                };
                let (service, queue) = (self.service.clone(), self.queue.clone());
                Dispatched::Running(Box::pin(async move {
                    // Neither semaphore is ever closed.
                    let Ok(place) = queue.acquire_owned().await else { return Ok(()) };
                    // Tasks do not begin in the order in which they are spawned.
                    turn.queue_up().await;
                    service.spawn(async move {
                        let turn = turn.come().await;
                        let Ok(permit) = running_handlers.acquire_owned().await else { return };
                        let hold = Box::new((turn, permit, place, memory));
                        if let Ok(outcome) = tokio::time::timeout(cap, run(hold)).await {
                            _ = count.end(outcome.map(drop));
                        }
                    });
                    Ok(())
                }))
            }
        }
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

/// A turn in a lane. Its place is taken at the first poll of either function.
enum Turn {
    /// There is no lane to wait in.
    Free,
    Waiting(Pin<Box<dyn Future<Output = OwnedMutexGuard<()>> + Send>>),
    Come(OwnedMutexGuard<()>),
}

impl Turn {
    fn of(lane: Option<Lane>) -> Self {
        lane.map_or(Self::Free, |lane| Self::Waiting(Box::pin(lane.lock_owned())))
    }

    /// Takes the place, without waiting for the turn.
    async fn queue_up(&mut self) {
        poll_fn(|cx| {
            if let Self::Waiting(lock) = self {
                // A task that has used up its time is told to come again, and gets no place.
                if let Poll::Ready(guard) = pin!(unconstrained(lock)).poll(cx) {
                    *self = Self::Come(guard);
                }
            }
            Poll::Ready(())
        })
        .await;
    }

    async fn come(self) -> Option<OwnedMutexGuard<()>> {
        match self {
            Self::Free => None,
            Self::Waiting(lock) => Some(lock.await),
            Self::Come(guard) => Some(guard),
        }
    }
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

    fn end(mut self, answer: Answer) -> Answer {
        self.ended = true;
        if let Some(to) = &self.to {
            to.counters.ended(&answer);
        }
        answer
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
