//! The session, step by step: two of them with a wire between, or one and frames made by hand.

mod bodies;
mod calls;
mod deadlines;
mod flushes;
mod goodbyes;
mod hostile;
mod keepalive;
mod nesting;
mod notices;

use std::io::IoSlice;
use std::time::Duration;

use bytes::BufMut;

use super::*;
use crate::wire::native::{Credit, CreditKind, Failure, HEADER, Metadata};

/// The type that nobody knows.
const UNKNOWN: u32 = 0x3f;

const TIMES: Times =
    Times { cap: Duration::from_secs(45), credit: Duration::from_secs(10), ping: None };

/// Takes all types but one, and has so much memory.
struct House {
    max_len: u64,
    memory: u64,
}

impl Default for House {
    fn default() -> Self {
        Self { max_len: u64::MAX, memory: 1 << 30 }
    }
}

impl Admission for House {
    fn max_len(&mut self, mtype: u32, _: bool) -> Result<u64, Box<Refusal>> {
        let unknown = || Refusal::of(2, "no");
        if mtype == UNKNOWN { Err(unknown()) } else { Ok(self.max_len) }
    }

    fn reserve(&mut self, bytes: u64) -> bool {
        let is_there = bytes <= self.memory;
        self.memory -= if is_there { bytes } else { 0 };
        is_there
    }

    fn release(&mut self, bytes: u64) {
        self.memory += bytes;
    }
}

/// What one side was handed.
#[derive(Debug)]
enum Got {
    Request { key: RequestKey, body: Bytes, deadline: Instant, depth: u8 },
    Notice { receipt: Receipt, body: Bytes },
    Refused { code: u16 },
}

/// One end of a connection.
struct End {
    session: Session,
    input: Input,
    house: House,
    got: VecDeque<Got>,
    now: Instant,
}

impl End {
    fn new(side: Side, ours: Terms, theirs: Terms, now: Instant) -> Self {
        let session = Session::new(side, ours, theirs, TIMES, now);
        Self { session, input: Input::new(), house: House::default(), got: VecDeque::new(), now }
    }

    /// The server of a connection whose client is a script.
    fn alone(ours: Terms) -> Self {
        Self::new(Side::Acceptor, ours, Terms::default(), Instant::now())
    }

    /// Everything that is to be written.
    fn written(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.session.give_all_credit();
        while !self.session.output().is_empty() {
            bytes.extend(self.write_once());
        }
        bytes
    }

    /// What is to be written by now, as it would be without asking for more.
    fn write_once(&mut self) -> Vec<u8> {
        self.session.give_all_credit();
        let mut output = std::mem::take(self.session.output());
        let mut bytes = Vec::new();
        while !output.is_empty() {
            let mut slices = [IoSlice::new(&[]); 16];
            let filled = output.slices(&mut slices);
            let before = bytes.len();
            for slice in &slices[..filled] {
                bytes.extend_from_slice(slice);
            }
            output.advance(bytes.len() - before);
        }
        bytes
    }

    fn frames(&mut self) -> Vec<Frame> {
        frames(&self.written())
    }

    /// Bytes arrive.
    fn receive(&mut self, mut bytes: &[u8]) -> Result<&mut Self, Violation> {
        loop {
            let mut buffer = self.input.buffer();
            let here = bytes.len().min(buffer.remaining_mut());
            buffer.put_slice(&bytes[..here]);
            bytes = &bytes[here..];
            let now = self.now;
            while self.input.next(&mut self.session, &mut self.house, now)? {
                let Some(received) = self.input.received().pop() else { continue };
                let got = match received {
                    Received::Request { head, mut body } => {
                        let RequestHead { key, deadline, depth, .. } = head;
                        let (body, reserved) = self.input.body(&mut body);
                        let body = body.into_bytes();
                        self.house.release(reserved);
                        Got::Request { key, body, deadline, depth }
                    }
                    Received::Notice { head, mut body } => {
                        let (body, reserved) = self.input.body(&mut body);
                        let body = body.into_bytes();
                        self.house.release(reserved);
                        Got::Notice { receipt: head.receipt, body }
                    }
                    Received::Refused { code, .. } => Got::Refused { code },
                };
                self.got.push_back(got);
            }
            if bytes.is_empty() {
                return Ok(self);
            }
        }
    }

    fn get(&mut self, frame: &Frame) -> Result<&mut Self, Violation> {
        self.receive(&frame.encode())
    }

    fn request(&mut self) -> (RequestKey, Bytes) {
        match self.got.pop_front() {
            Some(Got::Request { key, body, .. }) => (key, body),
            other => panic!("{other:?} is no request"),
        }
    }

    fn notice(&mut self) -> (Receipt, Bytes) {
        match self.got.pop_front() {
            Some(Got::Notice { receipt, body, .. }) => (receipt, body),
            other => panic!("{other:?} is no notice"),
        }
    }

    fn refused(&mut self) -> u16 {
        match self.got.pop_front() {
            Some(Got::Refused { code }) => code,
            other => panic!("{other:?} is not refused"),
        }
    }

    fn reply(&mut self, key: RequestKey, body: &[u8]) {
        self.session.reply(key, body.into());
    }

    fn call(&mut self, body: &[u8]) -> Ticket {
        self.session.call(message(body), self.now)
    }

    fn notify(&mut self, body: &[u8]) -> Ticket {
        self.session.notify(message(body), self.now)
    }

    fn abandon(&mut self, ticket: Ticket) {
        self.session.abandon(ticket, self.now);
    }

    fn outcome(&mut self, ticket: Ticket) -> Option<Outcome> {
        self.session.outcome(ticket)
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }

    fn is_at_rest(&self) -> bool {
        self.session.is_idle() && self.input.is_empty() && self.session.held() == 0
    }
}

/// Two ends, and a clock.
struct Pair {
    client: End,
    server: End,
}

impl Pair {
    fn new() -> Self {
        Self::with(Terms::default(), Terms::default())
    }

    /// What the client and what the server accepts.
    fn with(client: Terms, server: Terms) -> Self {
        let now = Instant::now();
        Self {
            client: End::new(Side::Connector, client, server, now),
            server: End::new(Side::Acceptor, server, client, now),
        }
    }

    /// Carries bytes both ways until there are none.
    fn settle(&mut self) -> &mut Self {
        loop {
            let (there, back) = (self.client.written(), self.server.written());
            if there.is_empty() && back.is_empty() {
                return self;
            }
            self.server.receive(&there).unwrap();
            self.client.receive(&back).unwrap();
        }
    }

    fn pass(&mut self, ms: u64) {
        for end in [&mut self.client, &mut self.server] {
            end.now += Duration::from_millis(ms);
            assert_eq!(end.session.timed_out(end.now), None);
        }
    }

    fn is_at_rest(&self) -> bool {
        self.client.is_at_rest() && self.server.is_at_rest()
    }
}

/// A frame, made or taken apart by hand.
#[derive(Clone, Debug, PartialEq)]
struct Frame {
    header: Header,
    metadata: Metadata,
    body: Vec<u8>,
}

impl Frame {
    fn new(kind: Kind, id: u32, body: &[u8]) -> Self {
        let header = Header::new(kind, id);
        Self { header, metadata: Metadata::default(), body: body.to_vec() }
    }

    fn request(id: u32, body: &[u8]) -> Self {
        Self::new(Kind::Request, id, body).mtype(0x41)
    }

    fn notify(body: &[u8]) -> Self {
        Self::new(Kind::Notify, 0, body).mtype(0x41)
    }

    fn mtype(mut self, mtype: u32) -> Self {
        self.header.mtype = mtype;
        self
    }

    /// The first piece of so many bytes.
    fn of(mut self, total: u64) -> Self {
        self.metadata.total = Some(total);
        self.more()
    }

    fn more(mut self) -> Self {
        self.header.more = true;
        self
    }

    fn deadline(mut self, ms: u32) -> Self {
        self.metadata.deadline = Some(ms);
        self
    }

    fn parent(mut self, id: u32) -> Self {
        self.metadata.parent = Some(id);
        self
    }

    fn encode(&self) -> Vec<u8> {
        let metadata = self.metadata.encoded_len();
        let header = Header { metadata, body: self.body.len() as u32, ..self.header };
        let mut bytes = header.encode().to_vec();
        self.metadata.encode(&mut bytes);
        bytes.extend_from_slice(&self.body);
        bytes
    }

    fn kind(&self) -> Kind {
        self.header.kind.unwrap()
    }

    /// Of an ERROR: the code, and whether it was handled.
    fn error(&self) -> (u16, u8) {
        assert_eq!(self.kind(), Kind::Error);
        let failure = Failure::parse(&self.body).unwrap();
        (failure.code, failure.handled)
    }
}

fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() {
        let header = Header::parse(*header).unwrap();
        let (metadata, rest) = rest.split_at(header.metadata.into());
        let (body, rest) = rest.split_at(header.body as usize);
        let metadata = Metadata::parse(metadata).unwrap();
        frames.push(Frame { header, metadata, body: body.to_vec() });
        bytes = rest;
    }
    assert!(bytes.is_empty(), "part of a frame");
    frames
}

fn kinds(frames: &[Frame]) -> Vec<Kind> {
    frames.iter().map(Frame::kind).collect()
}

fn message(body: &[u8]) -> Outgoing<'_> {
    Outgoing { mtype: 0x41, body: body.into(), deadline: None, parent: None, trace: None }
}

/// A body of which each part differs from the others.
fn long(len: u32) -> Vec<u8> {
    (0..len.div_ceil(4)).flat_map(u32::to_be_bytes).take(len as usize).collect()
}

fn reply(body: &'static [u8]) -> Option<Outcome> {
    Some(Outcome::Reply(Bytes::from(body).into()))
}

/// The code of an error of the peer, and whether the message was handled.
fn failure(outcome: Option<Outcome>) -> (u16, u8) {
    match outcome {
        Some(Outcome::Failed(failed)) => (failed.code, failed.handled),
        other => panic!("{other:?} is no failure"),
    }
}
