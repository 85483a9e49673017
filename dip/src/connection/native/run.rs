//! Messages of one type in a row, whose handler runs where they were read.

use std::cell::{Cell, OnceCell};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use super::admission::Account;
use super::answers::{Listed, begin};
use super::requests::Serving;
use crate::codec::{DecodeLimits, Encoded};
use crate::context::{Context, Envelope, Surroundings};
use crate::dispatch::{Running, check_room, decode_limits};
use crate::handler::{HandlerEntry, Request, Source};
use crate::registry::Destination;
use crate::reply::{Here, Rejection, Start, Started};
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
    /// Those that are not begun; none behind the end of the row.
    messages: &'a mut [Received],
    begun: usize,
    limits: DecodeLimits,
    around: Surroundings<'a>,
    /// The message that is handled now: whether there is one, whether it is a call, what it is to the
    /// session. Not one value: these are written one by one and read at once.
    under_way: bool,
    is_call: bool,
    key: RequestKey,
    receipt: Receipt,
    /// Bytes of memory that were reserved for it.
    reserved: u64,
    /// Where its reply begins.
    from: usize,
    /// Its handler has not ended: it goes on elsewhere before any other begins, which may wait for it.
    left: Option<(Origin, Running)>,
}

impl<'a> Run<'a> {
    /// Handles the messages in front that are of one type, if their handler may run here, up to the first
    /// that has not ended. Hands back how many these were, and that handler.
    pub(super) fn of(
        hands: Hands<'a>,
        messages: &'a mut [Received],
        to: &'a Destination,
    ) -> (usize, Option<(Origin, Running)>) {
        let (service, number) = (&hands.serving.service, to.protocol.mtype.number());
        let fallback = || service.routes().fallback_of(number);
        let Some(handler) = to.handler.or_else(fallback) else { return (0, None) };
        if !handler.is_plain() || handler.spawn || to.counters.slow.is_slow() {
            return (0, None);
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
        let mut run = Self {
            hands,
            to,
            handler,
            messages,
            begun: 0,
            limits: decode_limits(service, 0),
            around,
            under_way: false,
            is_call: false,
            key: RequestKey::default(),
            receipt: Receipt::default(),
            reserved: 0,
            from: 0,
            left: None,
        };
        handler.start_all(&mut run);
        to.counters.count.fetch_add(run.begun as u64, Relaxed);
        (run.begun, run.left)
    }

    /// The message that was handled last has this reply.
    #[inline]
    fn answer(&mut self, reply: Encoded) {
        let (listed, mut replies) = (&mut *self.hands.listed, self.hands.here.replies.borrow_mut());
        if self.is_call {
            listed.end(&mut replies, self.from, self.key, reply);
        } else {
            // Nobody waits for what it has replied.
            replies.truncate(self.from);
            listed.over.add(std::mem::take(&mut self.receipt));
        }
    }

    #[cold]
    fn refuse(&mut self, why: &Rejection) {
        self.hands.here.replies.borrow_mut().truncate(self.from);
        self.to.counters.ended(false);
        match self.origin() {
            Origin::Call(key) => self.hands.serving.link.refuse(key, why),
            Origin::Notice(receipt) => self.hands.listed.over.add(receipt),
        }
    }

    #[cold]
    fn leave(&mut self, running: Running) {
        self.hands.here.replies.borrow_mut().truncate(self.from);
        let origin = self.origin();
        self.left = Some((origin, running));
        self.messages = &mut [];
    }

    fn origin(&mut self) -> Origin {
        match self.is_call {
            true => Origin::Call(self.key),
            false => Origin::Notice(std::mem::take(&mut self.receipt)),
        }
    }
}

impl Source for Run<'_> {
    fn next(&mut self) -> Option<Request<'_>> {
        loop {
            let mut replies = self.hands.here.replies.borrow_mut();
            if replies.len() > WAITING {
                return None;
            }
            let envelope = &mut self.around.envelope;
            let (first, behind) = std::mem::take(&mut self.messages).split_first_mut()?;
            let (whole, nested) = match first {
                Received::Request { head, body } if head.mtype == envelope.number => {
                    let &mut RequestHead { key, deadline, depth, ref trace, .. } = head;
                    (envelope.request, envelope.deadline) = (Some(key), deadline);
                    envelope.trace = trace.as_deref();
                    (self.is_call, self.key) = (true, key);
                    self.from = begin(&mut replies);
                    (body, depth > 0)
                }
                // Its deadline was for the credit it needed.
                Received::Notice { head, body } if head.mtype == envelope.number => {
                    let NoticeHead { receipt, trace, .. } = head;
                    (envelope.request, envelope.deadline) = (None, self.hands.cap);
                    envelope.trace = trace.as_deref();
                    (self.is_call, self.receipt) = (false, std::mem::take(receipt));
                    self.from = replies.len();
                    (body, false)
                }
                _ => return None,
            };
            (self.messages, self.begun) = (behind, self.begun + 1);
            drop(replies);
            self.under_way = true;
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
        if !std::mem::take(&mut self.under_way) {
            return;
        }
        self.hands.account.release(self.reserved);
        match started {
            Ok(Started::Ended(Ok(reply))) => self.answer(reply),
            Ok(Started::Ended(Err(why))) | Err(why) => self.refuse(&why),
            Ok(Started::Pending(handling)) => {
                let context = self.around.take_context();
                self.leave(Running::begun(self.handler, context, handling));
            }
            Ok(Started::Waiting(work)) => {
                let context = self.around.take_context();
                self.leave(Running::waiting(self.handler, context, work));
            }
        }
        self.around.end();
    }
}

#[cfg(test)]
mod tests;
