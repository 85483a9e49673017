//! A message of ours on its way: refused, queued, begun.

use std::time::{Duration, Instant};

use super::bodies::{Outbound, Owner};
use super::operations::{Claim, Kind as What, Message, Operation, Stage};
use super::{Outcome, Outgoing, Oversize, Refused, RequestKey, Session, Ticket};
use crate::wire::native::{Header, Kind, Metadata, Trace};

/// Why a message that waited does not go out as it is.
#[derive(Clone, Copy)]
pub(super) enum Unfit {
    Late,
    /// The call that it served has ended.
    Orphan,
}

impl Session {
    /// What stands before the first piece of a long message, unless it does not go out after all.
    pub(super) fn begin_message(&mut self, body: &Outbound, ticket: Ticket) -> Option<Metadata> {
        let Some(unfit) = self.unfit(ticket) else {
            if body.kind == Kind::Notify
                && let Some(operation) = self.operations.of(ticket)
            {
                // Nothing can take back what is begun.
                operation.deadline = None;
            }
            return Some(self.metadata(ticket, body.trace));
        };
        match unfit {
            Unfit::Late => {
                if body.kind == Kind::Request {
                    self.release(ticket, body.id);
                } else {
                    self.refund(ticket, body.id);
                }
                self.written(ticket);
                self.settle(ticket, Outcome::Late { sent: false });
                self.end(ticket);
            }
            Unfit::Orphan => {
                self.release(ticket, body.id);
                let Outbound { mtype, trace, .. } = *body;
                self.adopt(ticket);
                self.queue(ticket, Message { mtype, body: body.body.clone(), trace });
            }
        }
        self.start_queued();
        None
    }

    /// The number of a new operation.
    pub(super) fn take_number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number - 1
    }

    pub(super) fn refusal(&self, out: &Outgoing<'_>, depth: u16) -> Option<Outcome> {
        let (size, limit) = (out.body.len() as u64, self.longest());
        let refused = if self.lost {
            return Some(Outcome::Lost { sent: false });
        } else if self.theirs.passive {
            Refused::Passive
        } else if self.goodbye {
            Refused::ShuttingDown
        } else if size > limit {
            Refused::TooLarge(Box::new(Oversize { size, limit }))
        } else if depth > u16::from(self.theirs.deepest) {
            Refused::TooDeep
        } else if out.deadline.is_some_and(|deadline| deadline <= self.now) {
            return Some(Outcome::Late { sent: false });
        } else {
            return None;
        };
        Some(Outcome::Refused(refused))
    }

    /// An operation that is over at once.
    pub(super) fn already(&mut self, outcome: Outcome) -> Ticket {
        let number = self.take_number();
        self.operations.insert(Operation {
            number,
            kind: What::Call,
            deadline: None,
            parent: None,
            depth: 0,
            stage: Stage::Over,
            claim: Claim::There(outcome),
        })
    }

    pub(super) fn enter(
        &mut self,
        kind: What,
        out: &Outgoing<'_>,
        parent: Option<RequestKey>,
        depth: u16,
    ) -> Ticket {
        let number = self.take_number();
        let deadline = out.deadline;
        self.watch(deadline);
        let (stage, claim) = (Stage::Over, Claim::Waiting);
        self.operations.insert(Operation { number, kind, deadline, parent, depth, stage, claim })
    }

    pub(super) fn queue(&mut self, ticket: Ticket, message: Message) {
        let Some(operation) = self.operations.of(ticket) else { return };
        self.unwritten.insert(operation.number);
        match operation.kind {
            What::Notify { .. } => self.unpaid.insert(operation.number, ticket),
            _ => self.queued.insert((operation.depth, operation.number), ticket),
        };
        operation.stage = Stage::Queued(Box::new(message));
    }

    pub(super) fn dequeue(&mut self, ticket: Ticket) -> Option<Message> {
        let operation = self.operations.of(ticket)?;
        self.queued.remove(&(operation.depth, operation.number));
        self.unpaid.remove(&operation.number);
        match std::mem::replace(&mut operation.stage, Stage::Over) {
            Stage::Queued(message) => Some(*message),
            _ => None,
        }
    }

    pub(super) fn put_body(&mut self, ticket: Ticket, kind: Kind, id: u32, message: Message) {
        let Some(operation) = self.operations.of(ticket) else { return };
        operation.stage = Stage::Body { id };
        self.unwritten.insert(operation.number);
        let Message { mtype, body, trace } = message;
        let owner = Owner::Operation(ticket);
        self.bodies.push(Outbound { owner, kind, id, mtype, trace, body, written: 0 });
    }

    /// The call that this one served has ended: it serves none.
    pub(super) fn adopt(&mut self, ticket: Ticket) {
        if let Some(operation) = self.operations.of(ticket) {
            (operation.parent, operation.depth) = (None, 0);
        }
    }

    pub(super) fn unfit(&self, ticket: Ticket) -> Option<Unfit> {
        let operation = self.operations.peek(ticket)?;
        if operation.deadline.is_some_and(|deadline| deadline <= self.now) {
            return Some(Unfit::Late);
        }
        operation.parent.filter(|key| !self.is_live(*key)).map(|_| Unfit::Orphan)
    }

    pub(super) fn metadata(&self, ticket: Ticket, trace: Option<Trace>) -> Metadata {
        let Some(operation) = self.operations.peek(ticket) else { return Metadata::default() };
        self.metadata_of(operation.parent, operation.deadline, trace)
    }

    pub(super) fn metadata_of(
        &self,
        parent: Option<RequestKey>,
        deadline: Option<Instant>,
        trace: Option<Trace>,
    ) -> Metadata {
        let parent = parent.map(|key| self.requests.id(key));
        let deadline = deadline.map(|deadline| self.left(deadline));
        Metadata { parent, deadline, trace, ..Metadata::default() }
    }

    pub(super) fn left(&self, deadline: Instant) -> u32 {
        milliseconds(deadline.saturating_duration_since(self.now))
    }

    pub(super) fn write_message(&mut self, header: Header, metadata: &Metadata, body: &[u8]) {
        self.output.frame(header, metadata, body);
        self.flushes.wrote_message();
    }

    /// No byte of this message is to go out any more that is not in the output.
    pub(super) fn written(&mut self, ticket: Ticket) {
        if !self.unwritten.is_empty()
            && let Some(operation) = self.operations.of(ticket)
        {
            self.unwritten.remove(&operation.number);
        }
    }
}

/// What a message says of the time it has, rounded up: at least 1.
pub(super) fn milliseconds(left: Duration) -> u32 {
    let rest = u64::from(left.subsec_nanos().div_ceil(1_000_000));
    let left = left.as_secs().saturating_mul(1000).saturating_add(rest);
    u32::try_from(left).unwrap_or(u32::MAX).max(1)
}
