//! One message, from its body to the outcome of its handler.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{self, Poll};
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::Semaphore;

use crate::codec::{Body, DecodeLimits};
use crate::context::Context;
use crate::handler::{Ack, HandlerEntry, Order, Request};
use crate::mtype::Mtype;
use crate::peer::Peer;
use crate::registry::Destination;
use crate::reply::{Code, Outcome, Rejection, Work};
use crate::server::{Server, Unhandled};

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
    pub(crate) server: &'a Server,
    pub(crate) peer: &'a Peer,
    /// Room for messages that are acknowledged before they are handled.
    pub(crate) queue: &'a Arc<Semaphore>,
    /// Keeps ordered handlers of this connection apart.
    pub(crate) lane: &'a Lane,
}

/// Handlers in one lane wait for each other, first in, first out.
pub(crate) type Lane = Arc<tokio::sync::Mutex<()>>;

impl Sender<'_> {
    /// Decodes a message and starts its handler.
    pub(crate) fn dispatch(&self, mtype: u8, body: Bytes) -> Dispatched {
        let routes = self.server.routes();
        match routes.byte(mtype) {
            Some(to) => match to.handler.or(routes.fallback()) {
                Some(handler) => self.start(handler, Some(to), mtype, body),
                None => Dispatched::Done(self.unhandled(to, body)),
            },
            None => match routes.fallback() {
                Some(handler) => self.start(handler, None, mtype, body),
                None => Dispatched::Done(Err(unknown(mtype))),
            },
        }
    }

    /// A known type that nobody handles.
    fn unhandled(&self, to: &Destination, body: Bytes) -> Answer {
        to.counters.count.fetch_add(1, Relaxed);
        let (mtype, name) = (to.protocol.mtype, (to.protocol.name)());
        let acknowledged = to.is_builtin() && self.server.unhandled() == Unhandled::Acknowledge;
        let answer = if acknowledged {
            let limits = self.decode_limits(body.len());
            let check = || (to.protocol.check)(Body::from(body), &limits);
            guarded(check, name)
                .and_then(|checked| checked.map_err(|error| Rejection::from_decode(&error)))
        } else {
            let text = format!("nobody handles messages of type {mtype}");
            Err(Rejection::of(Code::NoHandler, "UnsupportedProtoError", text))
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
        let limits = self.decode_limits(body.len());
        let deadline = Instant::now() + self.server.limits().handler_cap;
        let context =
            Context::new(Mtype::byte(mtype), self.peer.clone(), deadline, self.server.clone());
        let request = Request { body: Body::from(body), limits: &limits, context: &context };
        let running = match guarded(|| (handler.start)(request), handler.name).flatten() {
            Ok(running) => running,
            Err(rejection) => return Dispatched::Done(count.end(Err(rejection))),
        };
        let Ok(permit) = self.server.running().try_acquire_owned() else {
            let text = "the server runs as many handlers as it may";
            let rejection = Rejection::of(Code::Overloaded, "ConnectionError", text);
            return Dispatched::Done(count.end(Err(rejection)));
        };
        let lane = handler.order.map(|order| match order {
            Order::Connection => self.lane.clone(),
            Order::Client => self.server.lanes().of_client(self.peer.client_id()),
            Order::Server => self.server.lanes().of_server(),
        });
        let blocking = self.server.blocking();
        let name = handler.name;
        let work = async move {
            let _permit = permit;
            let _turn = match lane {
                Some(lane) => Some(lane.lock_owned().await),
                None => None,
            };
            let outcome = match running.0 {
                Work::Future(future) => Guarded { future: Some(future), name }.await,
                Work::Blocking(function) => blocking.run(function, name).await,
            };
            count.end(outcome.map(drop))
        };
        match handler.ack {
            Ack::Handled => Dispatched::Running(Box::pin(work)),
            Ack::Received => {
                let (server, queue) = (self.server.clone(), self.queue.clone());
                Dispatched::Running(Box::pin(async move {
                    // The queue is never closed.
                    if let Ok(place) = queue.acquire_owned().await {
                        server.spawn(deadline, async move {
                            let _place = place;
                            _ = work.await;
                        });
                    }
                    Ok(())
                }))
            }
        }
    }

    fn decode_limits(&self, len: usize) -> DecodeLimits {
        DecodeLimits { pickle: self.server.limits().pickle, ..DecodeLimits::for_body(len) }
    }
}

/// The answer to a type that nobody knows; the text is that of the Python package.
pub(crate) fn unknown(mtype: u8) -> Rejection {
    let text = format!("No protocol found in registry for message type: {mtype}");
    Rejection::of(Code::UnknownType, "UnsupportedProtoError", text)
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

/// A handler's future; a panic in it, or in dropping it, is a rejection.
struct Guarded {
    future: Option<Pin<Box<dyn Future<Output = Outcome> + Send>>>,
    name: &'static str,
}

impl Future for Guarded {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Outcome> {
        let Self { future, name } = &mut *self;
        let Some(running) = future else { return Poll::Ready(Err(panicked())) };
        let polled = guarded(|| running.as_mut().poll(cx), name);
        let outcome = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(outcome)) => outcome,
            Err(rejection) => Err(rejection),
        };
        // A panic while the future is dropped does not take the reply back.
        let done = future.take();
        _ = guarded(|| drop(done), name);
        Poll::Ready(outcome)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let future = self.future.take();
        _ = guarded(|| drop(future), self.name);
    }
}

/// Runs user code; a panic becomes a rejection that does not quote it.
pub(crate) fn guarded<T>(run: impl FnOnce() -> T, name: &'static str) -> Result<T, Rejection> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
        tracing::error!(handler = name, "a handler panicked");
        discard(payload);
        panicked()
    })
}

fn panicked() -> Rejection {
    Rejection::of(Code::Panicked, "RuntimeError", "the handler panicked")
}

/// Drops what a panic carried, which may panic itself.
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}
