//! Our calls: begun, or waiting for a permit.

use std::time::{Duration, Instant};

use super::messages::{Unfit, milliseconds};
use super::operations::{Claim, Kind as What, Message, Operation, Stage};
use super::{LONG_OUTPUT, Outgoing, SHORT_BODY, Session, Ticket, ids};
use crate::codec::Body;
use crate::limits;
use crate::wire::native::{Header, Kind, Trace};

impl Session {
    /// Calls the peer. What stands against it is an outcome.
    pub(crate) fn call(&mut self, out: Outgoing<'_>, now: Instant) -> Ticket {
        self.at(now);
        let parent = out.parent.filter(|key| self.is_live(*key));
        let depth = parent.map_or(0, |key| self.requests.depth(key).saturating_add(1));
        let ticket = match self.refusal(&out, depth) {
            Some(outcome) => return self.already(outcome),
            None => self.enter(What::Call, &out, parent, depth),
        };
        let Outgoing { mtype, body, trace, .. } = out;
        let first = self.queued.is_empty() || self.first_queued(depth).is_none();
        if first && self.may_start(depth) {
            self.start_call(ticket, mtype, body, trace);
        } else {
            self.queue(ticket, Message { mtype, body: body.into_bytes(), trace });
        }
        ticket
    }

    /// Sends a short call that serves none, if nothing stands against it; otherwise nothing has
    /// happened. It has so much time from the next [`start_clocks`](Self::start_clocks).
    pub(crate) fn call_at_once(
        &mut self,
        mtype: u32,
        body: &[u8],
        time: Duration,
    ) -> Option<Ticket> {
        let open = !self.lost && !self.goodbye && self.takes(body.len() as u64);
        let fits = body.len() <= SHORT_BODY && !time.is_zero();
        if !open || !fits || !self.queued.is_empty() || !self.may_start(0) {
            return None;
        }
        let id = self.ids.take(self.operations.next())?;
        let ticket = self.operations.insert(Operation {
            number: self.next_number,
            kind: What::Call,
            deadline: None,
            parent: None,
            depth: 0,
            stage: Stage::Sent { id, cancelled: false },
            claim: Claim::Waiting,
        });
        self.next_number += 1;
        self.permits[0] += 1;
        let header = Header { mtype, ..Header::new(Kind::Request, id) };
        self.output.timed(header, milliseconds(time), body);
        self.flushes.wrote_message();
        self.starting.push((ticket, time));
        Some(ticket)
    }

    /// Whether there are calls whose time has not begun.
    pub(crate) fn has_clocks_to_start(&self) -> bool {
        !self.starting.is_empty()
    }

    /// The time of the calls that were sent at once begins. So they need no clock one by one, and none
    /// is late before its time.
    pub(crate) fn start_clocks(&mut self, now: Instant) {
        self.at(now);
        let mut starting = std::mem::take(&mut self.starting);
        // Most of them have the same time.
        let (now, mut time, mut deadline, mut soonest) = (self.now, None, self.now, None);
        for (ticket, its) in starting.drain(..) {
            let Some(operation) = self.operations.of(ticket) else { continue };
            if time != Some(its) {
                (time, deadline) = (Some(its), limits::end(now, its));
                soonest = Some(soonest.map_or(deadline, |soonest: Instant| soonest.min(deadline)));
            }
            operation.deadline = Some(deadline);
        }
        self.watch(soonest);
        self.starting = starting;
    }

    /// Starts what has waited for permits, credit, or room in the output.
    pub(super) fn start_queued(&mut self) {
        if !self.unpaid.is_empty() {
            self.pay_notices();
        }
        if self.queued.is_empty() {
            return;
        }
        let mut from = 0;
        while let Some((&(depth, _), _)) = self.queued.range((from, 0)..).next() {
            let mut orphans = false;
            while self.may_start(depth)
                && let Some(ticket) = self.first_queued(depth)
            {
                orphans |= self.start_first(ticket);
            }
            from = if orphans { 0 } else { depth + 1 };
        }
    }

    fn may_start(&self, depth: u16) -> bool {
        let (calls, nested) = (self.theirs.calls, self.theirs.nested_calls);
        let limit = if depth == 0 {
            calls.min(ids::MOST_CALLS)
        } else {
            nested.min(ids::MOST_NESTED_CALLS)
        };
        let under_way = self.permits.get(usize::from(depth)).copied().unwrap_or(usize::MAX);
        under_way < usize::from(limit) && self.output.len() < LONG_OUTPUT && self.ids.is_left()
    }

    fn first_queued(&self, depth: u16) -> Option<Ticket> {
        let of_depth = (depth, 0)..=(depth, u64::MAX);
        self.queued.range(of_depth).next().map(|(_, ticket)| *ticket)
    }

    /// Starts the first call of a queue, or moves it to the queue of depth 0.
    fn start_first(&mut self, ticket: Ticket) -> bool {
        match self.unfit(ticket) {
            Some(Unfit::Late) => self.late(ticket),
            Some(Unfit::Orphan) => {
                let Some(message) = self.dequeue(ticket) else { return false };
                self.adopt(ticket);
                self.queue(ticket, message);
                return true;
            }
            None => {
                let Some(Message { mtype, body, trace }) = self.dequeue(ticket) else {
                    return false;
                };
                self.start_call(ticket, mtype, body.into(), trace);
            }
        }
        false
    }

    /// A call has its permit.
    fn start_call(&mut self, ticket: Ticket, mtype: u32, body: Body<'_>, trace: Option<Trace>) {
        let Some(id) = self.ids.take(ticket) else {
            return self.queue(ticket, Message { mtype, body: body.into_bytes(), trace });
        };
        let Some(operation) = self.operations.of(ticket) else { return };
        self.permits[usize::from(operation.depth)] += 1;
        if body.len() > SHORT_BODY {
            let body = body.into_bytes();
            return self.put_body(ticket, Kind::Request, id, Message { mtype, body, trace });
        }
        operation.stage = Stage::Sent { id, cancelled: false };
        let (parent, deadline) = (operation.parent, operation.deadline);
        let metadata = self.metadata_of(parent, deadline, trace);
        self.write_message(Header { mtype, ..Header::new(Kind::Request, id) }, &metadata, &body);
        self.written(ticket);
    }
}
