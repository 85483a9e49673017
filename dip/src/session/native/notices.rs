//! Our one-way messages.

use std::time::Instant;

use super::credit::units;
use super::operations::{Claim, Kind as What, Message, Operation};
use super::{LONG_OUTPUT, Outcome, Outgoing, SHORT_BODY, Session, Ticket};
use crate::wire::native::{Header, Kind, Metadata, Trace};

impl Session {
    /// Sends a one-way message. It is sent when its last byte is in the output.
    pub(crate) fn notify(&mut self, out: Outgoing<'_>, now: Instant) -> Ticket {
        self.at(now);
        if let Some(outcome) = self.refusal(&out, 0) {
            return self.already(outcome);
        }
        if self.notify_now(out.mtype, &out.body, out.trace) {
            return self.already(Outcome::Sent);
        }
        let units = units(out.body.len() as u64, self.theirs.notify_window);
        let ticket = self.enter(What::Notify { units }, &out, None, 0);
        let Outgoing { mtype, body, trace, .. } = out;
        self.queue(ticket, Message { mtype, body: body.into_bytes(), trace });
        self.pay_notices();
        ticket
    }

    /// Sends a short one-way message, if nothing stands against it; otherwise nothing has happened.
    pub(crate) fn notify_at_once(&mut self, mtype: u32, body: &[u8]) -> bool {
        let open = !self.lost && !self.goodbye && self.takes(body.len() as u64);
        open && self.notify_now(mtype, body, None)
    }

    /// Sends a one-way message if that takes no waiting.
    pub(crate) fn try_notify(&mut self, out: Outgoing<'_>, now: Instant) -> bool {
        self.at(now);
        if self.refusal(&out, 0).is_some() {
            return false;
        }
        let len = out.body.len() as u64;
        let units = units(len, self.theirs.notify_window);
        let room = self.may_notify(units) && self.bodies.has_room(len);
        if room && !self.notify_now(out.mtype, &out.body, out.trace) {
            let ticket = self.enter(What::Notify { units }, &out, None, 0);
            if let Some(operation) = self.operations.of(ticket) {
                operation.claim = Claim::Given;
            }
            let Outgoing { mtype, body, trace, .. } = out;
            self.queue(ticket, Message { mtype, body: body.into_bytes(), trace });
            self.pay_notices();
        }
        room
    }

    /// Sends one-way messages that have waited for credit.
    pub(super) fn pay_notices(&mut self) {
        while let Some((_, &ticket)) = self.unpaid.first_key_value() {
            let Some(operation) = self.operations.of(ticket) else { return };
            let What::Notify { units } = operation.kind else { return };
            if u64::from(units) > self.notify_credit || self.output.len() >= LONG_OUTPUT {
                return;
            }
            if self.unfit(ticket).is_some() {
                self.late(ticket);
                continue;
            }
            self.unpaid.pop_first();
            let Some(Message { mtype, body, trace }) = self.dequeue(ticket) else { return };
            self.notify_credit -= u64::from(units);
            if body.len() > SHORT_BODY {
                self.put_body(ticket, Kind::Notify, 0, Message { mtype, body, trace });
            } else {
                self.write_notice(mtype, &body, trace);
                self.written(ticket);
                self.sent_notice(ticket);
                self.settle(ticket, Outcome::Sent);
                self.end(ticket);
            }
        }
    }

    fn may_notify(&self, units: u32) -> bool {
        let credit = self.unpaid.is_empty() && u64::from(units) <= self.notify_credit;
        credit && self.output.len() < LONG_OUTPUT
    }

    /// A short one-way message that need not wait goes out.
    fn notify_now(&mut self, mtype: u32, body: &[u8], trace: Option<Trace>) -> bool {
        let units = units(body.len() as u64, self.theirs.notify_window);
        let now = body.len() <= SHORT_BODY && self.may_notify(units);
        if now {
            self.notify_credit -= u64::from(units);
            self.write_notice(mtype, body, trace);
            let number = self.take_number();
            self.flushes.sent_notice(number);
        }
        now
    }

    /// Its deadline was for the credit that it has now: it does not travel.
    fn write_notice(&mut self, mtype: u32, body: &[u8], trace: Option<Trace>) {
        let header = Header { mtype, ..Header::new(Kind::Notify, 0) };
        match trace {
            None => self.output.plain(header, body),
            trace => self.output.frame(header, &Metadata { trace, ..Metadata::default() }, body),
        }
        self.flushes.wrote_message();
    }

    /// The last byte of a one-way message is in the output.
    pub(super) fn sent_notice(&mut self, ticket: Ticket) {
        if let Some(operation) = self.operations.peek(ticket) {
            self.flushes.sent_notice(operation.number);
        }
    }

    /// Takes the credit of a one-way message back, of which nothing went out.
    pub(super) fn refund(&mut self, ticket: Ticket, id: u32) {
        if let Some(Operation { kind: What::Notify { units }, .. }) = self.operations.peek(ticket) {
            self.notify_credit += u64::from(*units);
        }
        if id != 0 {
            self.ids.free(id);
        }
    }
}
