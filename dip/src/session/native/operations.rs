//! The table of our operations: calls, one-way messages, flushes.

use std::time::Instant;

use bytes::Bytes;

use super::{Outcome, RequestKey};
use crate::wire::native::Trace;

/// One of our operations: a slot and its generation. One word, as a [`RequestKey`] is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Ticket(u64);

impl Ticket {
    fn of(slot: u32, generation: u32) -> Self {
        Self(u64::from(generation) << 32 | u64::from(slot))
    }

    /// Small, and used again: an index for what is kept beside the operation.
    pub(crate) fn slot(self) -> usize {
        self.0 as u32 as usize
    }

    fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

#[derive(Debug)]
pub(super) struct Operation {
    /// Operations are numbered in the order in which they were put in.
    pub(super) number: u64,
    pub(super) kind: Kind,
    pub(super) deadline: Option<Instant>,
    /// The call of theirs that this one serves.
    pub(super) parent: Option<RequestKey>,
    pub(super) depth: u16,
    pub(super) stage: Stage,
    pub(super) claim: Claim,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Call,
    Notify { units: u32 },
    Flush,
}

/// How far it got on the wire.
#[derive(Debug)]
pub(super) enum Stage {
    /// Waits for a permit or for credit.
    Queued(Box<Message>),
    /// Its body is with the long ones.
    Body {
        id: u32,
    },
    /// All of it is in the output, and the call is not answered.
    Sent {
        id: u32,
        cancelled: bool,
    },
    /// Of a flush.
    Flushing,
    Over,
}

/// What became of it, as far as its caller is concerned.
#[derive(Debug)]
pub(super) enum Claim {
    Waiting,
    There(Outcome),
    /// The caller has it, or does not want it.
    Given,
}

#[derive(Debug)]
pub(super) struct Message {
    pub(super) mtype: u32,
    pub(super) body: Bytes,
    pub(super) trace: Option<Trace>,
}

/// Slots are used again, each time with another generation.
#[derive(Debug, Default)]
pub(super) struct Operations {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    operation: Option<Operation>,
}

impl Operations {
    /// What the next operation will be known by.
    pub(super) fn next(&self) -> Ticket {
        let slot = self.free.last().copied().unwrap_or(self.slots.len() as u32);
        let generation = self.slots.get(slot as usize).map_or(0, |place| place.generation);
        Ticket::of(slot, generation)
    }

    #[inline]
    pub(super) fn insert(&mut self, operation: Operation) -> Ticket {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            (self.slots.len() - 1) as u32
        });
        let place = &mut self.slots[slot as usize];
        place.operation = Some(operation);
        Ticket::of(slot, place.generation)
    }

    pub(super) fn of(&mut self, ticket: Ticket) -> Option<&mut Operation> {
        let slot = self.slots.get_mut(ticket.slot())?;
        slot.operation.as_mut().filter(|_| slot.generation == ticket.generation())
    }

    pub(super) fn peek(&self, ticket: Ticket) -> Option<&Operation> {
        let slot = self.slots.get(ticket.slot())?;
        slot.operation.as_ref().filter(|_| slot.generation == ticket.generation())
    }

    pub(super) fn has_outcome(&self, ticket: Ticket) -> bool {
        self.peek(ticket).is_some_and(|operation| matches!(operation.claim, Claim::There(_)))
    }

    /// Takes an outcome, if it is there.
    #[inline]
    pub(super) fn take_outcome(&mut self, ticket: Ticket) -> Option<Outcome> {
        let slot = self.slots.get_mut(ticket.slot())?;
        let operation =
            slot.operation.as_mut().filter(|_| slot.generation == ticket.generation())?;
        let Claim::There(_) = operation.claim else { return None };
        let claim = std::mem::replace(&mut operation.claim, Claim::Given);
        if let Stage::Over = operation.stage {
            self.free(ticket.slot() as u32);
        }
        if let Claim::There(outcome) = claim { Some(outcome) } else { None }
    }

    fn free(&mut self, slot: u32) {
        let place = &mut self.slots[slot as usize];
        place.operation = None;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(slot);
    }

    /// Frees the slot if neither the wire nor the caller needs it any more.
    pub(super) fn sweep(&mut self, ticket: Ticket) {
        let over = self.peek(ticket).is_some_and(|operation| {
            matches!((&operation.stage, &operation.claim), (Stage::Over, Claim::Given))
        });
        if over {
            self.free(ticket.slot() as u32);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Ticket, &Operation)> {
        self.slots.iter().enumerate().filter_map(|(slot, place)| {
            let ticket = Ticket::of(slot as u32, place.generation);
            Some((ticket, place.operation.as_ref()?))
        })
    }

    /// Whether all have their outcomes, or nobody wants them.
    pub(super) fn are_settled(&self) -> bool {
        self.free.len() == self.slots.len()
            || self.iter().all(|(_, operation)| !matches!(operation.claim, Claim::Waiting))
    }

    /// Whether there is none that is still under way.
    pub(super) fn is_idle(&self) -> bool {
        self.free.len() == self.slots.len()
            || self.iter().all(|(_, operation)| matches!(operation.stage, Stage::Over))
    }
}
