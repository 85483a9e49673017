//! Flushes: a PING behind the messages that were put in before, and the PONG to it.

use std::collections::VecDeque;
use std::time::Instant;

use super::operations::{Claim, Kind as What, Operation, Stage};
use super::{Outcome, Refused, Session, Ticket, Violation};
use crate::wire::native::{Header, Kind};

#[derive(Debug, Default)]
pub(super) struct Flushes {
    /// By the numbers of the operations.
    waiting: VecDeque<(u64, Ticket)>,
    /// Under way.
    pings: VecDeque<Ping>,
    /// The last one-way message that was sent, unless a PONG stands behind it.
    unconfirmed: Doubt,
    /// A message was begun or ended since the last PING. A peer need not bear PINGs about nothing.
    dirty: bool,
}

/// Whether there is a one-way message of which nobody knows whether it was dispatched: its sender was
/// told that it is on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Doubt(Option<u64>);

#[derive(Debug)]
struct Ping {
    /// What it says, and what its PONG will.
    body: [u8; 8],
    /// It stands for the flushes with lower numbers.
    below: u64,
}

impl Doubt {
    pub(crate) fn exists(self) -> bool {
        self.0.is_some()
    }

    pub(super) fn is_before(self, number: u64) -> bool {
        self.0.is_some_and(|sent| sent < number)
    }
}

impl Flushes {
    /// The first or the last frame of a message went into the output.
    pub(super) fn wrote_message(&mut self) {
        self.dirty = true;
    }

    /// All of a one-way message is in the output.
    pub(super) fn sent_notice(&mut self, number: u64) {
        self.unconfirmed.0 = self.unconfirmed.0.max(Some(number));
    }

    pub(super) fn remove(&mut self, number: u64) {
        if let Ok(at) = self.waiting.binary_search_by_key(&number, |(number, _)| *number) {
            self.waiting.remove(at);
        }
    }

    fn take_below(&mut self, number: u64) -> impl Iterator<Item = Ticket> + use<> {
        let count = self.waiting.partition_point(|(waiting, _)| *waiting < number);
        self.waiting.drain(..count).map(|(_, ticket)| ticket).collect::<Vec<_>>().into_iter()
    }
}

impl Session {
    /// Waits until the peer has dispatched everything that was put in before.
    pub(crate) fn flush(&mut self, deadline: Option<Instant>, now: Instant) -> Ticket {
        self.at(now);
        let number = self.take_number();
        let claim = if self.lost {
            Claim::There(self.flushed_when_lost(number))
        } else if self.theirs.passive {
            Claim::There(Outcome::Refused(Refused::Passive))
        } else if !self.flushes.dirty && self.flushes.pings.is_empty() && self.unwritten.is_empty()
        {
            Claim::There(Outcome::Flushed)
        } else if deadline.is_some_and(|deadline| deadline <= self.now) {
            Claim::There(Outcome::Late { sent: false })
        } else {
            Claim::Waiting
        };
        let waits = matches!(claim, Claim::Waiting);
        let stage = if waits { Stage::Flushing } else { Stage::Over };
        let kind = What::Flush;
        let operation = Operation { number, kind, deadline, parent: None, depth: 0, stage, claim };
        let ticket = self.operations.insert(operation);
        if waits {
            self.watch(deadline);
            self.flushes.waiting.push_back((number, ticket));
        }
        ticket
    }

    /// What a flush was worth whose connection has ended: each loss is told once.
    fn flushed_when_lost(&mut self, number: u64) -> Outcome {
        let doubt = std::mem::take(&mut self.flushes.unconfirmed);
        if doubt.is_before(number) { Outcome::Lost { sent: true } } else { Outcome::Flushed }
    }

    pub(crate) fn doubt(&self) -> Doubt {
        self.flushes.unconfirmed
    }

    /// The sender of what was sent since has been told that it is lost, or sends it again.
    pub(crate) fn reset_doubt(&mut self, doubt: Doubt) {
        self.flushes.unconfirmed = doubt;
    }

    /// A flush that had the outcome of a loss was given up: somebody else is to be told.
    pub(super) fn untold(&mut self, number: u64) {
        self.flushes.sent_notice(number);
    }

    /// Asks for a PONG once all that a flush waits for is in the output.
    pub(super) fn write_ping(&mut self) {
        if self.flushes.waiting.is_empty() {
            return;
        }
        let written_below = self.written_below();
        let Flushes { waiting, pings, dirty, .. } = &mut self.flushes;
        let asked_below = pings.back().map_or(0, |ping| ping.below);
        let next = waiting.partition_point(|(number, _)| *number < asked_below);
        if waiting.get(next).is_none_or(|(number, _)| *number >= written_below) {
            return;
        }
        if *dirty {
            self.ping(written_below);
        } else if let Some(ping) = pings.back_mut() {
            ping.below = written_below;
        } else {
            self.flushed_below(written_below);
        }
    }

    /// Asks a peer for a PONG that has said nothing for long; it stands for flushes, too.
    pub(super) fn ask_for_a_word(&mut self) {
        let below = self.written_below();
        self.ping(below);
    }

    /// All messages with lower numbers are in the output.
    fn written_below(&self) -> u64 {
        self.unwritten.first().copied().unwrap_or(self.next_number)
    }

    fn ping(&mut self, below: u64) {
        let body = below.to_be_bytes();
        self.flushes.dirty = false;
        self.flushes.pings.push_back(Ping { body, below });
        self.output.plain(Header::new(Kind::Ping, 0), &body);
    }

    /// A PONG came.
    pub(super) fn flushed(&mut self, body: &[u8]) -> Result<(), Violation> {
        match self.flushes.pings.pop_front() {
            Some(ping) if ping.body == body => {
                self.flushes.unconfirmed.0.take_if(|unconfirmed| *unconfirmed < ping.below);
                self.flushed_below(ping.below);
                Ok(())
            }
            _ => Err(Violation::OutOfPlace("a pong to no ping")),
        }
    }

    fn flushed_below(&mut self, number: u64) {
        for ticket in self.flushes.take_below(number) {
            self.settle(ticket, Outcome::Flushed);
            self.end(ticket);
        }
    }
}
