//! One message, from its body to the outcome of its handler.

mod count;
mod running;
mod turn;

use std::cell::{Cell, OnceCell};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) use self::running::Running;
use self::running::Starts;
use self::turn::Turn;
use crate::codec::{Body, DecodeLimits, Encoded};
use crate::context::{Context, Envelope, Surroundings};
use crate::handler::{Ack, HandlerEntry, Order, Request};
use crate::peer::Peer;
use crate::registry::Destination;
use crate::reply::{Code, Here, Rejection, Start, Started, Written, guarded};
use crate::service::{Lane, MEMORY_UNIT, Service, Unhandled};

/// A message that has arrived whole, besides its body.
pub(crate) struct Arrival<'a> {
    pub(crate) envelope: Envelope<'a>,
    /// Where messages of its type go, if anybody knows it.
    pub(crate) to: Option<&'a Arc<Destination>>,
    /// Calls within calls are not held back by others: those they serve wait for them.
    pub(crate) nested: bool,
}

/// A message whose handler has been started, or that needs none.
pub(crate) enum Dispatched {
    Done(Written),
    Running(Running),
}

/// What dispatching a message needs of its connection.
pub(crate) struct Sender<'a> {
    pub(crate) service: &'a Arc<Service>,
    pub(crate) peer: &'a Peer,
    /// Room for messages that are acknowledged before they are handled.
    pub(crate) queue: &'a Arc<Semaphore>,
    /// What surrounded an earlier message, to be used again unless somebody has kept it.
    pub(crate) spare: &'a Cell<Option<Context>>,
    /// Keeps ordered handlers of this connection apart.
    pub(crate) lane: &'a Lane,
    /// Whether a handler of that order would wait for one that waits for it.
    pub(crate) would_deadlock: &'a dyn Fn(Order) -> bool,
    /// Handlers may run at once.
    pub(crate) here: Option<&'a Here<'a>>,
}

impl Sender<'_> {
    /// Decodes a message, which is counted already, and starts its handler: runs it to its end, if it
    /// may run here and need not wait.
    pub(crate) fn dispatch(&self, arrival: &Arrival<'_>, body: Body<'_>) -> Dispatched {
        let &Arrival { ref envelope, to, .. } = arrival;
        let fallback = || self.service.routes().fallback_of(envelope.number);
        let Some(handler) = to.and_then(|to| to.handler).or_else(fallback) else {
            return Dispatched::Done(match to {
                Some(to) => self.unhandled(to, body),
                None => Err(Rejection::unknown_type(envelope.mtype())),
            });
        };
        let apart = handler.spawn || to.is_some_and(|to| to.counters.slow.is_slow());
        let begun = self.begin(handler, arrival, body, apart);
        let dispatched = begun.unwrap_or_else(|why| Dispatched::Done(Err(why)));
        if let (Dispatched::Done(Err(_)), Some(to)) = (&dispatched, to) {
            to.counters.ended(false);
        }
        dispatched
    }

    /// A known type that nobody handles.
    fn unhandled(&self, to: &Destination, body: Body<'_>) -> Written {
        let (mtype, name) = (to.protocol.mtype, (to.protocol.name)());
        let acknowledged =
            to.protocol.builtin && self.service.unhandled() == Unhandled::Acknowledge;
        let answer = if acknowledged {
            let limits = decode_limits(self.service, body.len());
            guarded(|| (to.protocol.check)(body, &limits), name)
                .and_then(|checked| checked.map_err(|error| Rejection::from_decode(&error)))
        } else {
            Err(Rejection::no_handler(mtype))
        };
        if to.counters.unhandled.fetch_add(1, Relaxed) == 0 {
            tracing::warn!(%mtype, name, acknowledged, "a message that no handler takes (said once)");
        }
        to.counters.ended(answer.is_ok());
        answer.map(|()| Encoded::Copied)
    }

    /// What refuses a message for want of room does so before any code of its type runs.
    fn begin(
        &self,
        handler: &'static HandlerEntry,
        arrival: &Arrival<'_>,
        body: Body<'_>,
        apart: bool,
    ) -> Result<Dispatched, Rejection> {
        if handler.order.is_some_and(self.would_deadlock) {
            let why = "a handler it serves holds the lane that its own handler has to wait for";
            return Err(Rejection::of(Code::WouldDeadlock, "RuntimeError", why));
        }
        let received = handler.ack == Ack::Received;
        // What waits unanswered is not in the hands of its connection any more.
        let memory = if received {
            Some(self.reserve(body.len())?)
        } else {
            check_room(self.service, arrival.nested)?;
            None
        };
        let limits = decode_limits(self.service, body.len());
        let here = self.here.filter(|_| handler.is_plain() && !apart);
        let mut around = self.around(handler, arrival, here);
        let request = Request { body, limits: &limits, around: &around };
        let work = match handler.start(request)? {
            Started::Waiting(work) => work,
            Started::Pending(handling) => {
                let running = Running::begun(handler, around.take_context(), handling);
                return Ok(Dispatched::Running(running));
            }
            Started::Ended(written) => {
                around.end();
                return Ok(Dispatched::Done(written));
            }
        };
        let context = around.take_context();
        let turn = Turn::of(handler.order.map(|order| match order {
            Order::Connection => self.lane.clone(),
            Order::Client => self.service.lanes().of_client(self.peer.client_id()),
            Order::Server => self.service.lanes().of_server(),
        }));
        let starts = match received {
            true => Starts::Later,
            false if apart => Starts::Apart,
            false => Starts::Here,
        };
        let mut running = Running::new(handler, context, work, turn, starts);
        let Some(memory) = memory else { return Ok(Dispatched::Running(running)) };
        running.count(self.service);
        let context = running.context().clone();
        let (service, queue) = (self.service.clone(), self.queue.clone());
        let cap = service.limits().handler_cap;
        Ok(Dispatched::Running(Running::elsewhere(handler, context, async move {
            // Neither semaphore is ever closed.
            let Ok(place) = queue.acquire_owned().await else { return Ok(Bytes::new()) };
            let work = {
                let service = service.clone();
                async move {
                    running.come().await;
                    let Ok(permit) = service.running().acquire_owned().await else { return };
                    running.permit(permit);
                    _ = running.finish_within(&service, cap).await;
                    drop((place, memory));
                }
            };
            service.spawn(work);
            Ok(Bytes::new())
        })))
    }

    fn around<'a>(
        &'a self,
        handler: &'static HandlerEntry,
        arrival: &Arrival<'a>,
        here: Option<&'a Here<'a>>,
    ) -> Surroundings<'a> {
        Surroundings {
            envelope: arrival.envelope,
            peer: self.peer,
            states: self.service.states(),
            spare: self.spare,
            made: OnceCell::new(),
            start: Start { here, name: handler.name },
        }
    }

    fn reserve(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Rejection> {
        let units = u32::try_from(bytes / MEMORY_UNIT).unwrap_or(u32::MAX);
        let memory = self.service.memory().try_acquire_many_owned(units);
        memory.map_err(|_| overloaded("the server holds as many bytes as it may"))
    }
}

/// Whether there is room for one more message in hand. `nested` calls are not held back by others: those
/// they serve wait for them.
#[inline]
pub(crate) fn check_room(service: &Service, nested: bool) -> Result<(), Rejection> {
    match nested || !service.is_full() {
        true => Ok(()),
        false => Err(overloaded("the server runs as many handlers as it may")),
    }
}

/// With what a body of this length is decoded.
#[inline]
pub(crate) fn decode_limits(service: &Service, len: usize) -> DecodeLimits {
    let mut limits = DecodeLimits::for_body(len);
    limits.pickle = service.limits().pickle;
    limits
}

/// The answer of a handler that was stopped.
pub(crate) fn capped_at(cap: Duration) -> Rejection {
    Rejection::of(Code::Deadline, "TimeoutError", format!("the handler was stopped after {cap:?}"))
}

fn overloaded(text: &str) -> Rejection {
    Rejection::of(Code::Overloaded, "ConnectionError", text)
}
