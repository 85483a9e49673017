//! Bodies on their way out that do not leave at once: long ones, in pieces, and replies that found
//! the output full.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;

use super::operations::{Kind as What, Stage};
use super::{LONGEST_PIECE, MOST_CREDIT, Outcome, RequestKey, SHORT_BODY, Session, Ticket};
use crate::wire::hello::Terms;
use crate::wire::native::{Header, Kind, Metadata, Trace};

#[derive(Debug)]
pub(super) struct Bodies {
    /// Bytes that the peer takes before it gives some back.
    pub(super) window: u64,
    /// Bytes of one piece.
    piece: usize,
    /// Long ones, first in, first out: not charged yet.
    waiting: VecDeque<Outbound>,
    /// A piece of each in turn.
    going: VecDeque<Outbound>,
    /// Since when the peer has owed credit to the one that waits first.
    owed: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Outbound {
    pub(super) owner: Owner,
    pub(super) kind: Kind,
    /// 0 of a one-way message that has none yet.
    pub(super) id: u32,
    pub(super) mtype: u32,
    pub(super) trace: Option<Trace>,
    pub(super) body: Bytes,
    /// Bytes of it that are in the output.
    pub(super) written: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Operation(Ticket),
    Request(RequestKey),
}

impl Bodies {
    pub(super) fn new(theirs: Terms) -> Self {
        // No limit that a peer may state is below that of a short body.
        let piece = theirs.max_piece.clamp(SHORT_BODY as u32, LONGEST_PIECE) as usize;
        let window = theirs.body_window.min(MOST_CREDIT);
        Self { window, piece, waiting: VecDeque::new(), going: VecDeque::new(), owed: None }
    }

    pub(super) fn push(&mut self, body: Outbound) {
        if body.body.len() > SHORT_BODY {
            self.waiting.push_back(body);
        } else {
            self.going.push_back(body);
        }
    }

    /// Takes a body back; what of it is in the output stays there. Gives it back as far as it got.
    pub(super) fn remove(&mut self, owner: Owner) -> Option<Outbound> {
        let is_it = |body: &Outbound| body.owner == owner;
        if let Some(at) = self.waiting.iter().position(is_it) {
            return self.waiting.remove(at);
        }
        let at = self.going.iter().position(is_it)?;
        let body = self.going.remove(at)?;
        if body.written == 0 && body.body.len() > SHORT_BODY {
            self.window += body.body.len() as u64;
        }
        Some(body)
    }

    /// Whether pieces of this body are in the output.
    pub(super) fn has_begun(&self, owner: Owner) -> bool {
        self.going.iter().any(|body| body.owner == owner && body.written > 0)
    }

    /// Whether a body of this length would not have to wait.
    pub(super) fn has_room(&self, len: u64) -> bool {
        len <= SHORT_BODY as u64 || self.waiting.is_empty() && len <= self.window
    }

    /// Messages of which nothing is in the output.
    pub(super) fn not_begun(&self) -> Vec<Ticket> {
        let bodies = self.waiting.iter().chain(&self.going).filter(|body| body.written == 0);
        let ticket = |body: &Outbound| match body.owner {
            Owner::Operation(ticket) => Some(ticket),
            Owner::Request(_) => None,
        };
        bodies.filter_map(ticket).collect()
    }

    /// Whether a long body waits for credit although none is on its way: the peer has all that it was
    /// sent, and gives nothing back.
    pub(super) fn are_owed_credit(&self) -> bool {
        let is_long = |body: &Outbound| body.body.len() > SHORT_BODY;
        let waits = self.waiting.front().is_some_and(|body| body.body.len() as u64 > self.window);
        waits && !self.going.iter().any(is_long)
    }

    /// The peer gave credit.
    pub(super) fn credited(&mut self, amount: u64) {
        self.window += amount;
        self.owed = None;
    }

    /// Since when a reply has waited for credit that the peer owes. Other messages have deadlines.
    pub(super) fn reply_owed_since(&self) -> Option<Instant> {
        let first = self.waiting.front()?;
        self.owed.filter(|_| matches!(first.owner, Owner::Request(_)))
    }

    /// Whether there are some that need not wait for credit.
    pub(super) fn has_pieces(&self) -> bool {
        !self.going.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.going.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.going.clear();
        self.owed = None;
    }
}

impl Session {
    /// Fills the output with pieces while it is shorter than one: a small frame waits behind no more.
    pub(super) fn write_bodies(&mut self) {
        if self.bodies.is_empty() {
            self.bodies.owed = None;
            return;
        }
        // Whoever asks for more has written what it had, unless that is still here.
        let was_owed = self.bodies.are_owed_credit() && !self.output.has_pieces();
        self.write_pieces();
        if !self.bodies.are_owed_credit() {
            self.bodies.owed = None;
        } else if was_owed {
            self.bodies.owed.get_or_insert(self.now);
        }
    }

    fn write_pieces(&mut self) {
        loop {
            self.charge_bodies();
            // What is left of one piece after a write leaves with the next one.
            if self.output.len() >= 2 * self.bodies.piece {
                break;
            }
            let Some(body) = self.bodies.going.pop_front() else { break };
            self.write_piece(body);
        }
    }

    /// Charges the bodies in front as far as the window goes.
    fn charge_bodies(&mut self) {
        while let Some(front) = self.bodies.waiting.front_mut() {
            let len = front.body.len() as u64;
            if len > self.bodies.window {
                break;
            }
            if front.kind == Kind::Notify && front.id == 0 && front.body.len() > self.bodies.piece {
                let Some(id) = self.ids.take_for_notice() else { break };
                front.id = id;
            }
            self.bodies.window -= len;
            self.bodies.going.extend(self.bodies.waiting.pop_front());
        }
    }

    fn write_piece(&mut self, mut body: Outbound) {
        let is_first = body.written == 0;
        let mut metadata = Metadata::default();
        if let Owner::Operation(ticket) = body.owner
            && is_first
        {
            let Some(of_message) = self.begin_message(&body, ticket) else {
                self.bodies.window += body.body.len() as u64;
                return;
            };
            metadata = of_message;
        }
        let end = body.body.len().min(body.written + self.bodies.piece);
        let more = end < body.body.len();
        if is_first && more {
            metadata.total = Some(body.body.len() as u64);
        }
        let mtype = if is_first { body.mtype } else { 0 };
        let header = Header { more, mtype, ..Header::new(body.kind, body.id) };
        self.output.piece(header, &metadata, body.body.slice(body.written..end));
        body.written = end;
        if matches!(body.kind, Kind::Request | Kind::Notify) && (is_first || !more) {
            self.flushes.wrote_message();
        }
        if more {
            self.bodies.going.push_back(body);
        } else {
            self.end_body(&body);
        }
    }

    /// The last piece of a body is in the output.
    fn end_body(&mut self, body: &Outbound) {
        match body.owner {
            Owner::Request(key) => self.answered(key),
            Owner::Operation(ticket) => {
                let Some(operation) = self.operations.of(ticket) else { return };
                self.unwritten.remove(&operation.number);
                match operation.kind {
                    What::Notify { .. } => {
                        if body.id != 0 {
                            self.ids.free(body.id);
                        }
                        self.sent_notice(ticket);
                        self.settle(ticket, Outcome::Sent);
                        self.end(ticket);
                    }
                    _ => operation.stage = Stage::Sent { id: body.id, cancelled: false },
                }
            }
        }
    }
}
