//! One end of a simulated connection: what it asks for, what it handles, and what it was told.

use std::collections::{HashMap, HashSet};

use bytes::BufMut;

use super::*;
use crate::wire::native::Failure;

/// A message travels under its number, so that it is known wherever it turns up; with this bit, the
/// other side knows no such type.
pub(super) const UNKNOWN: u32 = 1 << 30;

/// Memory of a side for long bodies.
const MEMORY: u64 = 200_000;

pub(super) struct Peer {
    pub(super) session: Session,
    pub(super) writing: Output,
    input: Input,
    house: House,
    ours: Terms,
    pub(super) operations: Vec<Operation>,
    waiting: HashMap<Ticket, usize>,
    handlers: Vec<Handler>,
    receipts: Vec<Receipt>,
    /// Their messages that were handed over, and those that were refused.
    pub(super) dispatched: HashSet<u32>,
    pub(super) turned_away: HashSet<u32>,
    /// Flushes that ended just now.
    pub(super) flushed: Vec<usize>,
    pub(super) stops: usize,
    pub(super) nested: usize,
}

struct House {
    memory: u64,
}

impl Admission for House {
    fn max_len(&mut self, mtype: u32, _: bool) -> Result<u64, Box<Refusal>> {
        let known = mtype & UNKNOWN == 0;
        known.then_some(90_000).ok_or_else(|| Refusal::of(2, "unknown"))
    }

    fn reserve(&mut self, bytes: u64) -> bool {
        let is_there = bytes <= self.memory;
        self.memory -= if is_there { bytes } else { 0 };
        is_there
    }

    fn release(&mut self, bytes: u64) {
        self.memory += bytes;
        assert!(self.memory <= MEMORY, "more is released than was reserved");
    }
}

/// One of our operations. Its number is its place, from 1.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) kind: Kind,
    pub(super) deadline: Option<Instant>,
    pub(super) outcome: Option<Outcome>,
    pub(super) abandoned: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Call,
    Notify,
    Flush,
}

struct Handler {
    key: RequestKey,
    mtype: u32,
    /// A call of ours that it waits for.
    waits: Option<Ticket>,
    stopped: bool,
}

impl Peer {
    pub(super) fn new(
        side: Side,
        ours: Terms,
        theirs: Terms,
        random: &mut Random,
        now: Instant,
    ) -> Self {
        let cap = if random.one_in(3) { Duration::from_millis(300) } else { Duration::MAX };
        let times = Times { cap, credit: Duration::from_secs(10), ping: None };
        let mut input = Input::new();
        input.longhand = random.one_in(2);
        Self {
            session: Session::new(side, ours, theirs, times, now),
            writing: Output::default(),
            input,
            house: House { memory: MEMORY },
            ours,
            operations: Vec::new(),
            waiting: HashMap::new(),
            handlers: Vec::new(),
            receipts: Vec::new(),
            dispatched: HashSet::new(),
            turned_away: HashSet::new(),
            flushed: Vec::new(),
            stops: 0,
            nested: 0,
        }
    }

    /// Sends something.
    pub(super) fn command(&mut self, random: &mut Random, now: Instant) {
        match random.below(8) {
            0 => {
                let deadline = deadline(random, now);
                let ticket = self.session.flush(deadline, now);
                self.enter(Kind::Flush, deadline, Some(ticket));
                self.take_if_there(ticket, now);
            }
            1..4 => self.notify(random, now),
            _ => drop(self.call(random, None, now)),
        }
    }

    /// Goes on with what is in hand, one handler or one notice.
    pub(super) fn work(&mut self, random: &mut Random, now: Instant) -> bool {
        if !self.receipts.is_empty() && random.one_in(2) {
            let receipt = self.receipts.swap_remove(random.up_to(self.receipts.len() - 1));
            self.session.notice_ended(receipt);
            return true;
        }
        if self.handlers.is_empty() {
            return !self.receipts.is_empty();
        }
        let at = random.up_to(self.handlers.len() - 1);
        let Handler { key, mtype, waits, stopped } = self.handlers[at];
        assert!(self.session.is_live(key));
        if let Some(ticket) = waits {
            if !self.waiting.contains_key(&ticket) {
                self.handlers[at].waits = None;
            } else if stopped {
                self.abandon(ticket, now);
            }
            // Somebody else may be able to go on.
            return stopped || self.handlers.iter().any(|handler| handler.waits.is_none());
        }
        match random.below(5) {
            0 if !stopped && self.operations.len() < 300 => {
                let ticket = self.call(random, Some(key), now);
                self.nested += 1;
                self.handlers[at].waits = Some(ticket).filter(|_| !random.one_in(4));
                return true;
            }
            1 => {
                let (text, detail) = ("no", &pattern(mtype, random.up_to(30))[..]);
                self.session.fail(key, Failure { code: 15, handled: 2, text, detail });
            }
            _ => {
                let reply = pattern(!mtype, len(random, 130_000));
                match frame_of(key, reply.len()).filter(|_| random.one_in(2)) {
                    Some(frame) => {
                        let framed = [&frame[..], &reply].concat();
                        self.session.reply_all(&framed, [(key, 0..framed.len())].into_iter());
                    }
                    None => self.session.reply(key, Body::from(&reply[..])),
                }
            }
        }
        assert!(!self.session.is_live(key));
        self.handlers.swap_remove(at);
        true
    }

    pub(super) fn abandon_one(&mut self, random: &mut Random, now: Instant) {
        let waiting: Vec<Ticket> =
            (0..self.operations.len()).filter_map(|at| self.ticket_of(at)).collect();
        if !waiting.is_empty() {
            self.abandon(waiting[random.up_to(waiting.len() - 1)], now);
        }
    }

    pub(super) fn receive(&mut self, mut bytes: &[u8], now: Instant) {
        while !bytes.is_empty() {
            let mut buffer = self.input.buffer();
            let here = bytes.len().min(buffer.remaining_mut());
            assert!(here > 0, "there is always room");
            buffer.put_slice(&bytes[..here]);
            bytes = &bytes[here..];
            loop {
                let next = self.input.next(&mut self.session, &mut self.house, now);
                if !next.expect("the peer is honest") {
                    break;
                }
                let Some(received) = self.input.received().pop() else { continue };
                match received {
                    Received::Request { head: RequestHead { key, mtype, .. }, mut body } => {
                        let (body, reserved) = self.input.body(&mut body);
                        assert!(*body == pattern(mtype, body.len()), "{mtype} is not its body");
                        assert!(self.dispatched.insert(mtype), "{mtype} came twice");
                        self.house.release(reserved);
                        self.handlers.push(Handler { key, mtype, waits: None, stopped: false });
                    }
                    Received::Notice { head: NoticeHead { receipt, mtype, .. }, mut body } => {
                        let (body, reserved) = self.input.body(&mut body);
                        assert!(*body == pattern(mtype, body.len()), "{mtype} is not its body");
                        assert!(self.dispatched.insert(mtype), "{mtype} came twice");
                        self.house.release(reserved);
                        self.receipts.push(receipt);
                    }
                    Received::Refused { mtype, .. } => assert!(self.turned_away.insert(mtype)),
                }
            }
        }
    }

    /// Takes the events, and the outcomes that they tell of.
    pub(super) fn look(&mut self, now: Instant) {
        self.session.start_clocks(now);
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Woken(ticket) => self.take(ticket, now),
                Event::Stop(key, why) => {
                    let handler = self.handlers.iter_mut().find(|handler| handler.key == key);
                    let handler = handler.expect("what is stopped is in hand");
                    assert!(!handler.stopped || why == Why::Lost, "stopped once");
                    handler.stopped = true;
                    self.stops += 1;
                }
                Event::Goodbye { text, .. } => assert_eq!(text, "bye"),
            }
        }
        let window = usize::try_from(self.ours.body_window).unwrap();
        let (held, behind) = (self.session.held(), self.input.room_behind_bodies());
        assert!(held <= window + behind, "{held} bytes are held of {window} and {behind}");
        for at in self.waiting.values() {
            let Operation { kind, deadline, .. } = self.operations[*at];
            let next = self.session.next_timeout();
            // A one-way message in pieces goes on to its end.
            let is_watched = deadline.is_none_or(|deadline| next.is_some_and(|at| at <= deadline));
            assert!(is_watched || kind == Kind::Notify, "a deadline is not watched");
        }
    }

    pub(super) fn lose(&mut self) {
        self.session.lost();
        self.input.end(&mut self.house);
        assert_eq!(self.house.memory, MEMORY);
        let in_hand: HashSet<_> = self.handlers.iter().map(|handler| handler.key).collect();
        let mut stopped = HashSet::new();
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Woken(ticket) => self.take(ticket, Instant::now()),
                Event::Stop(key, why) => assert!(why != Why::Lost || stopped.insert(key)),
                Event::Goodbye { .. } => {}
            }
        }
        assert_eq!(stopped, in_hand);
        assert!(self.waiting.is_empty(), "some wait for ever");
        assert_eq!(self.session.next_timeout(), None);
        for Handler { key, mtype, .. } in self.handlers.drain(..) {
            self.session.reply(key, Body::from(&pattern(mtype, 10)[..]));
        }
        for receipt in self.receipts.drain(..) {
            self.session.notice_ended(receipt);
        }
        assert!(self.session.output().is_empty() && self.session.is_idle());
    }

    pub(super) fn assert_at_rest(&self) {
        let Session { permits, ids, bodies, notify_credit, theirs, .. } = &self.session;
        assert!(self.waiting.is_empty(), "some wait for ever: {:?}", self.session);
        assert!(self.session.is_idle(), "{:?}", self.session);
        assert!(self.handlers.is_empty() && self.receipts.is_empty());
        assert!(permits.iter().all(|under_way| *under_way == 0));
        assert!(ids.is_unused());
        assert_eq!(bodies.window, theirs.body_window);
        assert_eq!(*notify_credit, u64::from(theirs.notify_window));
        assert!(self.session.notify_grant.is_whole(self.ours.notify_window.into()));
        assert!(self.session.body_grant.is_whole(self.ours.body_window));
        assert!(self.session.unwritten.is_empty());
        assert!(self.input.is_empty() && self.session.held() == 0);
        assert_eq!(self.house.memory, MEMORY);
    }

    fn call(&mut self, random: &mut Random, parent: Option<RequestKey>, now: Instant) -> Ticket {
        let (mtype, body, deadline) = self.message(random, now);
        let time = deadline.filter(|_| parent.is_none()).map(|deadline| deadline - now);
        let at_once = time.and_then(|time| self.session.call_at_once(mtype, &body, time));
        let ticket = at_once.unwrap_or_else(|| {
            let out = Outgoing { mtype, body: body[..].into(), deadline, parent, trace: None };
            self.session.call(out, now)
        });
        self.enter(Kind::Call, deadline, Some(ticket));
        self.take_if_there(ticket, now);
        ticket
    }

    fn notify(&mut self, random: &mut Random, now: Instant) {
        let (mtype, body, deadline) = self.message(random, now);
        let out = Outgoing { mtype, body: body[..].into(), deadline, parent: None, trace: None };
        if random.one_in(3) {
            // One that is not sent has used up a number, that is all.
            if self.session.try_notify(out, now) {
                self.enter(Kind::Notify, deadline, None);
            }
            return;
        }
        let in_time = deadline.is_none_or(|deadline| now < deadline);
        if in_time && random.one_in(3) && self.session.notify_at_once(mtype, &body) {
            self.enter(Kind::Notify, deadline, None);
            return;
        }
        let ticket = self.session.notify(out, now);
        self.enter(Kind::Notify, deadline, Some(ticket));
        self.take_if_there(ticket, now);
    }

    fn message(&self, random: &mut Random, now: Instant) -> (u32, Vec<u8>, Option<Instant>) {
        let mtype = self.operations.len() as u32 + 1;
        let mtype = if random.one_in(12) { mtype | UNKNOWN } else { mtype };
        (mtype, pattern(mtype, len(random, 130_000)), deadline(random, now))
    }

    fn enter(&mut self, kind: Kind, deadline: Option<Instant>, ticket: Option<Ticket>) {
        let at = self.operations.len();
        let abandoned = ticket.is_none();
        self.operations.push(Operation { kind, deadline, outcome: None, abandoned });
        if let Some(ticket) = ticket {
            assert_eq!(self.waiting.insert(ticket, at), None, "a ticket for two operations");
        }
    }

    fn ticket_of(&self, at: usize) -> Option<Ticket> {
        self.waiting.iter().find(|(_, of)| **of == at).map(|(ticket, _)| *ticket)
    }

    fn abandon(&mut self, ticket: Ticket, now: Instant) {
        if let Some(at) = self.waiting.remove(&ticket) {
            self.operations[at].abandoned = true;
            self.session.abandon(ticket, now);
            assert_eq!(self.session.outcome(ticket), None);
        }
    }

    /// The outcome of an operation that was woken, unless that was given up meanwhile.
    fn take(&mut self, ticket: Ticket, now: Instant) {
        if self.waiting.contains_key(&ticket) {
            self.take_if_there(ticket, now);
            assert!(!self.waiting.contains_key(&ticket), "woken for nothing");
        }
    }

    fn take_if_there(&mut self, ticket: Ticket, now: Instant) {
        let Some(outcome) = self.session.outcome(ticket) else { return };
        assert_eq!(self.session.outcome(ticket), None, "an outcome is taken once");
        let at = self.waiting.remove(&ticket).expect("one outcome for one ticket");
        let operation = &mut self.operations[at];
        if let Outcome::Late { .. } = outcome {
            assert!(operation.deadline.is_some_and(|deadline| deadline <= now));
        }
        if outcome == Outcome::Flushed {
            self.flushed.push(at);
        }
        operation.outcome = Some(outcome);
    }
}

/// The body of a message, or of the reply to it.
pub(super) fn pattern(number: u32, len: usize) -> Vec<u8> {
    let unit: [u8; 8] = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
    let mut bytes = unit.repeat(len / unit.len() + 1);
    bytes.truncate(len);
    bytes
}

fn len(random: &mut Random, most: usize) -> usize {
    match random.below(12) {
        0 => random.up_to(most),
        1 => 16_300 + random.up_to(200),
        2 => random.up_to(5_000),
        _ => random.up_to(40),
    }
}

fn deadline(random: &mut Random, now: Instant) -> Option<Instant> {
    random.one_in(3).then(|| now + Duration::from_millis(random.below(400)))
}
