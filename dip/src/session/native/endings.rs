//! How our operations end.

use std::time::Instant;

use super::bodies::Owner;
use super::flush::Doubt;
use super::operations::{Claim, Kind as What, Stage};
use super::{Outcome, Refused, Session, Ticket, Violation};
use crate::wire::native::{Header, Kind};

impl Session {
    /// Takes the outcome, if it is there. The ticket is over then.
    #[inline]
    pub(crate) fn outcome(&mut self, ticket: Ticket) -> Option<Outcome> {
        self.operations.take_outcome(ticket)
    }

    /// Nobody waits for the outcome any more: what is not sent is forgotten, a call is cancelled.
    pub(crate) fn abandon(&mut self, ticket: Ticket, now: Instant) {
        self.at(now);
        if let Some(operation) = self.operations.of(ticket) {
            let number = operation.number;
            let claim = std::mem::replace(&mut operation.claim, Claim::Given);
            if operation.kind == What::Flush
                && matches!(claim, Claim::There(Outcome::Lost { sent: true }))
            {
                self.untold(number);
            }
            self.withdraw(ticket);
            self.operations.sweep(ticket);
            self.start_queued();
        }
    }

    /// What is not begun, is refused: the peer has said goodbye.
    pub(super) fn withdraw_unsent(&mut self) {
        let mut unsent: Vec<Ticket> =
            self.queued.values().chain(self.unpaid.values()).copied().collect();
        unsent.extend(self.bodies.not_begun());
        for ticket in unsent {
            self.withdraw(ticket);
            self.settle(ticket, Outcome::Refused(Refused::ShuttingDown));
            self.operations.sweep(ticket);
        }
    }

    /// The deadline of an operation is over.
    pub(super) fn late(&mut self, ticket: Ticket) {
        let sent = self.withdraw(ticket);
        self.settle(ticket, Outcome::Late { sent });
    }

    /// The connection ended.
    pub(super) fn lose_operations(&mut self) {
        let all = self.operations.iter().map(|(ticket, operation)| (operation.number, ticket));
        let mut all: Vec<_> = all.collect();
        all.sort_unstable_by_key(|(number, _)| *number);
        let doubt = self.doubt();
        let (mut waiting, mut told) = (false, false);
        for (number, ticket) in all {
            let Some(operation) = self.operations.of(ticket) else { continue };
            if operation.kind == What::Flush {
                let in_doubt = doubt.is_before(number);
                told |= in_doubt && matches!(operation.claim, Claim::Waiting);
                // One behind a message that fails knows no better than that.
                let lost = in_doubt || waiting;
                let outcome =
                    if lost { Outcome::Lost { sent: in_doubt } } else { Outcome::Flushed };
                self.settle(ticket, outcome);
                self.end(ticket);
                continue;
            }
            waiting |= matches!(operation.claim, Claim::Waiting);
            // A peer that had its last word has answered all that it had begun with; one that only
            // takes no more may have been killed before it could.
            let sent = matches!(operation.stage, Stage::Sent { .. }) && !self.last_word;
            self.settle(ticket, Outcome::Lost { sent });
            self.end(ticket);
        }
        if told {
            self.reset_doubt(Doubt::default());
        }
    }

    /// The call of ours, of whose answer a first frame came, if somebody waits for it.
    pub(super) fn expects(&self, id: u32, kind: Kind) -> Result<Option<Ticket>, Violation> {
        let unasked = Violation::OutOfPlace("an answer to no call");
        let ticket = self.ids.call_of(id).ok_or(unasked)?;
        let operation = self.operations.peek(ticket).ok_or(unasked)?;
        match operation.stage {
            Stage::Sent { .. } => {}
            // It is refused before all of it is there.
            Stage::Body { .. }
                if kind == Kind::Error && self.bodies.has_begun(Owner::Operation(ticket)) => {}
            _ => return Err(unasked),
        }
        Ok(matches!(operation.claim, Claim::Waiting).then_some(ticket))
    }

    /// The whole answer to a call is there.
    pub(super) fn answered_by(&mut self, id: u32, outcome: Option<Outcome>) {
        if let Some(ticket) = self.ids.call_of(id) {
            self.answer_came(ticket, id, outcome);
        }
    }

    /// The whole answer to this call is there, which has that id.
    #[inline]
    pub(super) fn answer_came(&mut self, ticket: Ticket, id: u32, outcome: Option<Outcome>) {
        let Some(operation) = self.operations.of(ticket) else { return };
        let stage = std::mem::replace(&mut operation.stage, Stage::Over);
        let (depth, number) = (operation.depth, operation.number);
        if let (Claim::Waiting, Some(outcome)) = (&operation.claim, outcome) {
            operation.claim = Claim::There(outcome);
            self.woken.push_back(ticket);
        } else {
            self.operations.sweep(ticket);
        }
        if let Stage::Body { .. } = stage {
            self.unwritten.remove(&number);
            self.bodies.remove(Owner::Operation(ticket));
            // The peer skips pieces until it knows that no more come.
            self.write_cancel(id);
        }
        self.permits[usize::from(depth)] -= 1;
        self.ids.free(id);
        self.start_queued();
    }

    /// Takes an operation off the wire as far as that goes, and says whether all of it was sent.
    fn withdraw(&mut self, ticket: Ticket) -> bool {
        let Some(operation) = self.operations.of(ticket) else { return false };
        let number = operation.number;
        let owner = Owner::Operation(ticket);
        match &mut operation.stage {
            Stage::Over => return false,
            Stage::Queued(_) => {
                self.dequeue(ticket);
            }
            Stage::Flushing => self.flushes.remove(number),
            Stage::Sent { id, cancelled } => {
                let id = *id;
                if !std::mem::replace(cancelled, true) {
                    self.write_cancel(id);
                }
                return true;
            }
            Stage::Body { id } => {
                let id = *id;
                let is_call = operation.kind == What::Call;
                match (self.bodies.has_begun(owner), is_call) {
                    (true, true) => {
                        operation.stage = Stage::Sent { id, cancelled: true };
                        self.bodies.remove(owner);
                        self.unwritten.remove(&number);
                        self.write_cancel(id);
                        return false;
                    }
                    (true, false) => return true,
                    (false, true) => {
                        self.bodies.remove(owner);
                        self.release(ticket, id);
                    }
                    (false, false) => {
                        let id = self.bodies.remove(owner).map_or(0, |body| body.id);
                        self.refund(ticket, id);
                    }
                }
            }
        }
        self.unwritten.remove(&number);
        if let Some(operation) = self.operations.of(ticket) {
            operation.stage = Stage::Over;
        }
        false
    }

    /// Gives the permit and the id of a call back.
    pub(super) fn release(&mut self, ticket: Ticket, id: u32) {
        if let Some(operation) = self.operations.of(ticket) {
            self.permits[usize::from(operation.depth)] -= 1;
            self.ids.free(id);
        }
    }

    fn write_cancel(&mut self, id: u32) {
        self.output.plain(Header::new(Kind::Cancel, id), &[]);
    }
}
