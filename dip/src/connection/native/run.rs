//! Messages of one type in a row, whose handler runs where they were read.

use std::cell::{Cell, OnceCell};
use std::slice;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use super::admission::Account;
use super::answers::{Listed, begin};
use super::requests::Serving;
use crate::codec::DecodeLimits;
use crate::context::{Context, Envelope, Surroundings};
use crate::dispatch::{Running, check_room, decode_limits};
use crate::handler::{HandlerEntry, Request, Source};
use crate::registry::Destination;
use crate::reply::{Here, Rejection, Start, Started, Written};
use crate::session::native::{Input, NoticeHead, Receipt, Received, RequestHead, RequestKey};

/// Replies that wait for others of their batch, in bytes.
pub(super) const WAITING: usize = 64 << 10;

/// What a connection handles messages with where it has read them.
pub(super) struct Hands<'a> {
    pub(super) serving: &'a Serving,
    pub(super) input: &'a Input,
    pub(super) account: &'a mut Account,
    pub(super) listed: &'a mut Listed,
    pub(super) spare: &'a Cell<Option<Context>>,
    pub(super) here: &'a Here<'a>,
    /// Until when handlers may take of messages that do not say.
    pub(super) cap: Instant,
}

/// What a message is to the session.
pub(super) enum Origin {
    Call(RequestKey),
    Notice(Receipt),
}

/// Messages for one handler.
pub(super) struct Run<'a> {
    hands: Hands<'a>,
    to: &'a Destination,
    handler: &'static HandlerEntry,
    messages: slice::IterMut<'a, Received>,
    limits: DecodeLimits,
    around: Surroundings<'a>,
    /// The message that is handled now.
    current: Option<Origin>,
    /// Bytes of memory that were reserved for it.
    reserved: u64,
    /// Where its reply begins.
    from: usize,
    left: Vec<(Origin, Running)>,
}

impl<'a> Run<'a> {
    /// Handles the messages in front that are of one type, as long as their handler may run here. Hands
    /// back how many these were, and the handlers that have not ended.
    pub(super) fn of(
        hands: Hands<'a>,
        messages: &'a mut [Received],
        to: &'a Destination,
    ) -> (usize, Vec<(Origin, Running)>) {
        let (service, number) = (&hands.serving.service, to.protocol.mtype.number());
        let fallback = || service.routes().fallback_of(number);
        let Some(handler) = to.handler.or_else(fallback) else { return (0, Vec::new()) };
        if !handler.is_plain() || handler.spawn || to.counters.slow.is_slow() {
            return (0, Vec::new());
        }
        let around = Surroundings {
            envelope: Envelope {
                number,
                known: Some(to.protocol),
                deadline: hands.cap,
                native: true,
                request: None,
                trace: None,
            },
            peer: &hands.serving.peer,
            states: service.states(),
            spare: hands.spare,
            made: OnceCell::new(),
            start: Start { here: Some(hands.here), name: handler.name },
        };
        let (count, limits) = (messages.len(), decode_limits(service, 0));
        let mut run = Self {
            hands,
            to,
            handler,
            messages: messages.iter_mut(),
            limits,
            around,
            current: None,
            reserved: 0,
            from: 0,
            left: Vec::new(),
        };
        handler.start_all(&mut run);
        let count = count - run.messages.len();
        to.counters.count.fetch_add(count as u64, Relaxed);
        (count, run.left)
    }

    /// The message that was handled last is answered.
    #[inline]
    fn answer(&mut self, origin: Origin, written: Written) {
        let (listed, replies) = (&mut *self.hands.listed, self.hands.here.replies);
        match (origin, written) {
            (Origin::Call(key), Ok(reply)) => {
                listed.end(&mut replies.borrow_mut(), self.from, key, reply);
            }
            // Nobody waits for what it has replied.
            (Origin::Notice(receipt), Ok(_)) => {
                replies.borrow_mut().truncate(self.from);
                listed.over.add(receipt);
            }
            (origin, Err(why)) => self.refuse(origin, &why),
        }
    }

    #[cold]
    fn refuse(&mut self, origin: Origin, why: &Rejection) {
        self.hands.here.replies.borrow_mut().truncate(self.from);
        self.to.counters.ended(false);
        match origin {
            Origin::Call(key) => self.hands.serving.link.refuse(key, why),
            Origin::Notice(receipt) => self.hands.listed.over.add(receipt),
        }
    }

    #[cold]
    fn leave(&mut self, origin: Origin, running: Running) {
        self.hands.here.replies.borrow_mut().truncate(self.from);
        self.left.push((origin, running));
    }
}

impl Source for Run<'_> {
    fn next(&mut self) -> Option<Request<'_>> {
        loop {
            let mtype = match self.messages.as_slice().first()? {
                Received::Request { head, .. } => head.mtype,
                Received::Notice { head, .. } => head.mtype,
                Received::Refused { .. } => return None,
            };
            let mut replies = self.hands.here.replies.borrow_mut();
            if mtype != self.around.envelope.number || replies.len() > WAITING {
                return None;
            }
            let envelope = &mut self.around.envelope;
            let (whole, nested) = match self.messages.next()? {
                Received::Request { head, body } => {
                    let &mut RequestHead { key, deadline, depth, ref trace, .. } = head;
                    (envelope.request, envelope.deadline) = (Some(key), deadline);
                    envelope.trace = trace.as_deref();
                    self.current = Some(Origin::Call(key));
                    self.from = begin(&mut replies);
                    (body, depth > 0)
                }
                // Its deadline was for the credit it needed.
                Received::Notice { head, body } => {
                    let NoticeHead { receipt, trace, .. } = head;
                    (envelope.request, envelope.deadline) = (None, self.hands.cap);
                    envelope.trace = trace.as_deref();
                    self.current = Some(Origin::Notice(std::mem::take(receipt)));
                    self.from = replies.len();
                    (body, false)
                }
                Received::Refused { .. } => return None,
            };
            drop(replies);
            let (body, reserved) = self.hands.input.body(whole);
            self.reserved = reserved;
            let service = &self.hands.serving.service;
            if let Err(full) = check_room(service, nested) {
                drop(body);
                self.started(Err(full));
                continue;
            }
            self.limits = decode_limits(service, body.len());
            return Some(Request { body, limits: &self.limits, around: &self.around });
        }
    }

    #[inline]
    fn started(&mut self, started: Result<Started, Rejection>) {
        let Some(origin) = self.current.take() else { return };
        self.hands.account.release(self.reserved);
        match started {
            Ok(Started::Ended(written)) => self.answer(origin, written),
            Err(why) => self.refuse(origin, &why),
            Ok(Started::Pending(handling)) => {
                let context = self.around.take_context();
                self.leave(origin, Running::begun(self.handler, context, handling));
            }
            Ok(Started::Waiting(work)) => {
                let context = self.around.take_context();
                self.leave(origin, Running::waiting(self.handler, context, work));
            }
        }
        self.around.end();
    }
}
