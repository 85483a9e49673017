//! A native connection: calls of both sides, one-way messages, credit, deadlines, limits.
//!
//! The driver reads into [`Input`], asks [`Input::next`] for what came, carries out commands
//! (`call`, `reply`, …), and after each of these takes the events ([`Session::poll_event`]) and what
//! is to be written ([`Session::output`]). The session never waits: what cannot go out yet stands in
//! a queue, and memory is bounded by the permits, windows and limits of [`Terms`].

mod admission;
mod bodies;
mod calls;
mod control;
mod credit;
mod endings;
mod flood;
mod flush;
mod ids;
mod input;
mod keepalive;
mod messages;
mod notices;
mod operations;
mod output;
mod replies;
mod requests;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
mod timeouts;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;

pub(crate) use self::admission::{Admission, Refusal};
pub(crate) use self::credit::{Receipt, Receipts};
pub(crate) use self::input::{Input, NoticeHead, Received, RequestHead};
pub(crate) use self::operations::Ticket;
pub(crate) use self::output::Output;
pub(crate) use self::replies::{FRAME, frame_of};
pub(crate) use self::requests::RequestKey;
pub(crate) use self::timeouts::{Overdue, Times};

use self::bodies::Bodies;
use self::credit::Grant;
use self::flood::Flood;
use self::flush::Flushes;
use self::ids::Ids;
use self::keepalive::Keepalive;
use self::operations::{Claim, Operations, Stage};
use self::requests::Requests;
use crate::codec::{Body, OwnedBody};
use crate::limits;
use crate::wire::hello::Terms;
use crate::wire::native::{Goaway, Header, Kind, Malformed, Trace};

/// Longer bodies are charged against the body window, and never wait in the read buffer.
const SHORT_BODY: usize = 16 << 10;

/// The most credit there can be: what a `u32` of other implementations holds with its sign.
const MOST_CREDIT: u64 = i32::MAX as u64;

/// The longest piece that is sent, whatever the peer accepts: a small frame waits behind one.
const LONGEST_PIECE: u32 = 256 << 10;

/// Replies wait outside an output longer than this, in bytes.
const LONG_OUTPUT: usize = 1 << 20;

/// The longest text of a goodbye, in bytes.
const MAX_GOODBYE: usize = 1 << 10;

/// Which end of the connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Its ids are odd.
    Connector,
    /// Its ids are even.
    Acceptor,
}

/// A message on its way out.
#[derive(Debug)]
pub(crate) struct Outgoing<'a> {
    pub(crate) mtype: u32,
    pub(crate) body: Body<'a>,
    /// When its sender stops waiting. Of a one-way message: for credit.
    pub(crate) deadline: Option<Instant>,
    /// The call of theirs that this call serves.
    pub(crate) parent: Option<RequestKey>,
    pub(crate) trace: Option<Trace>,
}

/// How an operation of ours ended. It is passed on often: what is rare is in boxes, so that it is no larger
/// than a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Reply(OwnedBody),
    Failed(Box<Failed>),
    /// Of a one-way message: its last byte is in the output.
    Sent,
    /// Of a flush: the peer has dispatched everything that was put in before.
    Flushed,
    /// Its deadline is over. Unless it was sent, it was certainly not handled.
    Late {
        sent: bool,
    },
    /// The connection ended. Unless it was sent, it was certainly not handled.
    Lost {
        sent: bool,
    },
    /// This side refuses.
    Refused(Refused),
}

/// The peer's ERROR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) code: u16,
    pub(crate) handled: u8,
    pub(crate) text: String,
    pub(crate) detail: Bytes,
}

/// Why this side sends a message not even to its peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    TooLarge(Box<Oversize>),
    TooDeep,
    /// The peer has said goodbye.
    ShuttingDown,
    /// The peer takes nothing.
    Passive,
}

/// Bytes of a body, and how many the peer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Oversize {
    pub(crate) size: u64,
    pub(crate) limit: u64,
}

/// What the driver is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The outcome of an operation is there. Not said of one that is there when the command returns.
    Woken(Ticket),
    /// The handler of this call is to stop. Its terminal frame goes out with `reply` or `fail`.
    Stop(RequestKey, Why),
    /// The peer takes no more calls.
    Goodbye { reason: u16, text: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Cancelled,
    /// Its caller's deadline is over; the caller has noticed, too.
    Deadline,
    /// It has taken as long as handlers may here; its caller may still wait.
    Cap,
    Lost,
}

/// What no honest peer does: the end of the connection. The text is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    Malformed(&'static str),
    OutOfPlace(&'static str),
    /// More than the permits and windows allow.
    TooMany(&'static str),
    /// Too many frames that cost their sender nothing.
    Flood,
}

impl Violation {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Malformed(text) | Self::OutOfPlace(text) | Self::TooMany(text) => text,
            Self::Flood => "too many frames that cost nothing",
        }
    }
}

impl From<Malformed> for Violation {
    fn from(Malformed(text): Malformed) -> Self {
        Self::Malformed(text)
    }
}

/// The state of a native connection.
#[derive(Debug)]
pub(crate) struct Session {
    ours: Terms,
    theirs: Terms,
    times: Times,
    /// The latest time that was passed in.
    now: Instant,
    /// Until when handlers may take that begin now.
    cap: Instant,
    ids: Ids,
    operations: Operations,
    /// Calls of ours under way, by depth.
    permits: Vec<usize>,
    /// Calls without a permit, by depth and number.
    queued: BTreeMap<(u16, u64), Ticket>,
    /// One-way messages without credit, by number.
    unpaid: BTreeMap<u64, Ticket>,
    /// The numbers of all messages whose last byte is not in the output.
    unwritten: BTreeSet<u64>,
    next_number: u64,
    flushes: Flushes,
    requests: Requests,
    notices: usize,
    bodies: Bodies,
    /// Units of one-way messages that we may send.
    notify_credit: u64,
    /// What the peer may send: units of one-way messages, bytes of long bodies.
    notify_grant: Grant,
    body_grant: Grant,
    enough: [u64; 2],
    flood: Flood,
    keepalive: Option<Keepalive>,
    output: Output,
    events: VecDeque<Event>,
    /// Whose outcomes are there.
    woken: VecDeque<Ticket>,
    /// No deadline is over before.
    soonest: Option<Instant>,
    /// Calls whose time has not begun, and how much they have.
    starting: Vec<(Ticket, Duration)>,
    held: usize,
    /// We have said goodbye.
    leaving: bool,
    /// The peer has.
    goodbye: bool,
    /// Their last GOAWAY: everything they had begun with is answered.
    last_word: bool,
    lost: bool,
}

impl Session {
    pub(crate) fn new(side: Side, ours: Terms, theirs: Terms, times: Times, now: Instant) -> Self {
        let credit = |window: u64| window.min(MOST_CREDIT);
        Self {
            ours,
            theirs,
            times,
            now,
            cap: limits::end(now, times.cap),
            ids: Ids::new(side),
            operations: Operations::default(),
            permits: vec![0; usize::from(theirs.deepest) + 1],
            queued: BTreeMap::new(),
            unpaid: BTreeMap::new(),
            unwritten: BTreeSet::new(),
            next_number: 0,
            flushes: Flushes::default(),
            requests: Requests::new(ours),
            notices: 0,
            bodies: Bodies::new(theirs),
            notify_credit: credit(theirs.notify_window.into()),
            notify_grant: Grant::new(credit(ours.notify_window.into())),
            body_grant: Grant::new(credit(ours.body_window)),
            enough: credit::enough(&ours),
            flood: Flood::new(now),
            // Neither side of one that is passive would see an answer.
            keepalive: times
                .ping
                .filter(|_| !ours.passive && !theirs.passive)
                .map(|every| Keepalive::new(every, now)),
            output: Output::default(),
            events: VecDeque::new(),
            woken: VecDeque::new(),
            soonest: None,
            starting: Vec::new(),
            held: 0,
            leaving: false,
            goodbye: false,
            last_word: false,
            lost: false,
        }
    }

    /// Tells the peer that no more calls of it are taken: later ones are answered `ShuttingDown`. With
    /// reason 0 it is the last word: what is unanswered then was not handled.
    pub(crate) fn goaway(&mut self, reason: u16, text: &str) {
        if self.lost {
            return;
        }
        self.leaving = true;
        let mut body = Vec::new();
        let text = &text[..text.floor_char_boundary(MAX_GOODBYE)];
        Goaway { reason, text }.encode(&mut body);
        self.output.plain(Header::new(Kind::Goaway, 0), &body);
    }

    /// The stream has ended, or broke: all that is under way is over.
    pub(crate) fn lost(&mut self) {
        if std::mem::replace(&mut self.lost, true) {
            return;
        }
        self.output.clear();
        self.bodies.clear();
        self.queued.clear();
        self.unpaid.clear();
        self.unwritten.clear();
        self.soonest = None;
        self.starting.clear();
        self.keepalive = None;
        self.lose_operations();
        self.lose_requests();
    }

    /// What is to be told, unless the driver has seen to it meanwhile.
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        if let Some(ticket) = self.poll_woken() {
            return Some(Event::Woken(ticket));
        }
        loop {
            let event = self.events.pop_front()?;
            let is_news = match event {
                Event::Stop(key, _) => self.is_live(key),
                Event::Woken(_) | Event::Goodbye { .. } => true,
            };
            if is_news {
                return Some(event);
            }
        }
    }

    /// The next operation whose outcome is there, as [`poll_event`](Self::poll_event) says it.
    #[inline]
    pub(crate) fn poll_woken(&mut self) -> Option<Ticket> {
        loop {
            let ticket = self.woken.pop_front()?;
            if self.operations.has_outcome(ticket) {
                return Some(ticket);
            }
        }
    }

    /// Whether there may be something to tell besides outcomes.
    pub(crate) fn has_news(&self) -> bool {
        !self.events.is_empty()
    }

    /// What is to be written, filled with credit and with pieces of long bodies while it is short.
    pub(crate) fn output(&mut self) -> &mut Output {
        if !self.lost {
            self.start_queued();
            self.give_credit();
            self.write_bodies();
            self.write_ping();
        }
        &mut self.output
    }

    /// Whether there is credit to write, and nothing else.
    pub(crate) fn has_only_credit(&self) -> bool {
        self.output.is_empty() && self.bodies.is_empty() && self.owes_credit()
    }

    /// Whether there are bytes that may be written.
    pub(crate) fn has_some_to_write(&self) -> bool {
        !self.output.is_empty() || self.bodies.has_pieces()
    }

    /// Whether there is anything more to write, now or once there is room or credit for it.
    pub(crate) fn has_more_to_write(&self) -> bool {
        let waits = !self.queued.is_empty() || !self.unpaid.is_empty();
        waits || !self.output.is_empty() || !self.bodies.is_empty()
    }

    /// Whether everything that was let out is written.
    pub(crate) fn is_written(&mut self) -> bool {
        self.output().is_empty() && self.bodies.is_empty()
    }

    /// Whether every call of theirs is answered, and the answers are let out.
    pub(crate) fn has_answered(&self) -> bool {
        self.requests.is_idle() && self.bodies.is_empty()
    }

    /// Whether the peer takes messages of this length at all.
    pub(crate) fn takes(&self, len: u64) -> bool {
        !self.theirs.passive && len <= self.longest()
    }

    /// Whether nobody waits for an operation of ours.
    pub(crate) fn is_settled(&self) -> bool {
        self.operations.are_settled()
    }

    /// Whether nothing is under way: no operation of ours, no message of theirs in hand, nothing to
    /// write.
    pub(crate) fn is_idle(&self) -> bool {
        let idle = self.operations.is_idle() && self.requests.is_idle() && self.notices == 0;
        let owes = self.owes_credit();
        idle && (self.lost || !owes) && self.bodies.is_empty() && self.output.is_empty()
    }

    /// Whether a message or an answer of ours waits for credit that the peer keeps back.
    #[cfg(test)]
    pub(crate) fn is_starved_by(&self, peer: &Self) -> bool {
        let [notify, body] =
            [&peer.notify_grant, &peer.body_grant].map(|grant| grant.is_due(u64::MAX));
        (notify && !self.unpaid.is_empty()) || (body && self.bodies.are_owed_credit())
    }

    /// Bytes of memory for bodies of theirs that are not complete.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Whether the peer has said that it takes no more calls.
    pub(crate) fn has_said_goodbye(&self) -> bool {
        self.goodbye
    }

    /// The longest body that the peer takes.
    fn longest(&self) -> u64 {
        self.theirs.max_message.min(self.theirs.body_window).min(MOST_CREDIT)
    }

    fn at(&mut self, now: Instant) {
        if self.now < now {
            self.now = now;
            self.cap = limits::end(now, self.times.cap);
        }
    }

    /// A deadline is to be looked after.
    fn watch(&mut self, deadline: Option<Instant>) {
        if let Some(deadline) = deadline
            && self.soonest.is_none_or(|soonest| deadline < soonest)
        {
            self.soonest = Some(deadline);
        }
    }

    /// An operation has its outcome.
    fn settle(&mut self, ticket: Ticket, outcome: Outcome) {
        if let Some(operation) = self.operations.of(ticket)
            && let Claim::Waiting = operation.claim
        {
            operation.claim = Claim::There(outcome);
            self.woken.push_back(ticket);
        }
    }

    /// The wire is done with an operation.
    fn end(&mut self, ticket: Ticket) {
        if let Some(operation) = self.operations.of(ticket) {
            operation.stage = Stage::Over;
            self.operations.sweep(ticket);
        }
    }
}
