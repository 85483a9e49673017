//! A native connection, driven by the thread that waits for an answer.

use std::io::{self, IoSlice};
use std::time::{Duration, Instant};

use bytes::BufMut;

use crate::call::{Message, Way};
use crate::limits::Limits;
use crate::mtype::Mtype;
use crate::process::Process;
use crate::session::native::{
    Admission, Input, Outcome, Outgoing, Refusal, Session, Side, Ticket, Times,
};
use crate::transport::{Ready, Socket};
use crate::wire::hello::Terms;
use crate::wire::native::code;

/// A connection on which nothing happens between two messages of this side: what the server says
/// meanwhile waits in the socket.
pub(super) struct Connection {
    socket: Socket,
    session: Session,
    input: Input,
    scratch: Box<[u8]>,
    /// The numbers of the types that the two sides know different versions of, ascending.
    mismatched: Vec<u32>,
    /// When it was last seen that the server is there.
    seen: Instant,
    ended: bool,
    /// The server took no more bytes: what was not written whole, it cannot have handled.
    unwritable: bool,
    process: Process,
}

/// Bytes that are read at once.
const SCRATCH: usize = 64 << 10;

/// Slices that are written at once.
const SLICES: usize = 64;

/// A connection is looked at before it is used when nothing was heard of it for so long. Closer
/// together, messages are spared that system call.
const FRESH: Duration = Duration::from_millis(10);

/// How long the last words may take to leave, and their reader to close.
const LINGER: Duration = Duration::from_secs(1);

impl Connection {
    /// A connection whose handshake is done; `rest` came behind it.
    pub(super) fn new(
        socket: Socket,
        [ours, theirs]: [Terms; 2],
        limits: &Limits,
        mismatched: Vec<u32>,
        rest: &[u8],
    ) -> Self {
        let now = Instant::now();
        let times = Times { cap: limits.handler_cap, credit: limits.write, ping: None };
        let mut input = Input::new();
        input.feed(rest);
        Self {
            socket,
            session: Session::new(Side::Connector, ours, theirs, times, now),
            input,
            scratch: vec![0; SCRATCH].into(),
            mismatched,
            seen: now,
            ended: false,
            unwritable: false,
            process: Process::current(),
        }
    }

    /// Whether it carries new messages, as far as that can be seen now.
    pub(super) fn is_open(&mut self) -> bool {
        let now = Instant::now();
        if now.saturating_duration_since(self.seen) > FRESH {
            self.look();
            self.seen = now;
        }
        !self.ended && !self.session.has_said_goodbye()
    }

    /// Whether the two sides know different versions of a type.
    pub(super) fn differs(&self, mtype: Mtype) -> bool {
        self.mismatched.binary_search(&mtype.number()).is_ok()
    }

    /// Sends a message and waits for what becomes of it, by `deadline`. `None` if the connection
    /// broke before the whole message was out.
    pub(super) fn send(&mut self, message: &Message, deadline: Instant) -> Option<Outcome> {
        let out = Outgoing {
            mtype: message.mtype.number(),
            body: message.body.body(),
            deadline: Some(deadline),
            parent: None,
            trace: None,
        };
        let now = Instant::now();
        let doubt = self.session.doubt();
        let ticket = match message.way {
            Way::Call => self.session.call(out, now),
            Way::Notify => self.session.notify(out, now),
        };
        let outcome = self.outcome(ticket, deadline);
        if self.ended && outcome != Some(Outcome::Sent) {
            // That this one is lost is told now, or it is sent again.
            self.session.reset_doubt(doubt);
        }
        outcome
    }

    /// Waits until the server has dispatched what was sent before, by `deadline`.
    pub(super) fn flush(&mut self, deadline: Instant) -> Option<Outcome> {
        let ticket = self.session.flush(Some(deadline), Instant::now());
        self.outcome(ticket, deadline)
    }

    /// Whether there are one-way messages on it that the server has not dispatched, as far as is known;
    /// it is asked once more. Nothing is sent over it any more.
    pub(super) fn leaves_doubt(&mut self, deadline: Instant) -> bool {
        let deadline = deadline.min(Instant::now() + LINGER);
        self.session.doubt().exists() && self.flush(deadline) != Some(Outcome::Flushed)
    }

    /// Says goodbye and waits until the server has closed: bytes that nobody reads would reset the
    /// connection and take the last words with them.
    pub(super) fn close(&mut self) {
        let deadline = Instant::now() + LINGER;
        self.say_goodbye(deadline);
        while !self.ended && self.read(deadline) {}
        self.end();
    }

    fn say_goodbye(&mut self, deadline: Instant) {
        self.session.goaway(0, "");
        self.write(deadline);
        self.look();
        self.socket.end();
    }

    fn outcome(&mut self, ticket: Ticket, deadline: Instant) -> Option<Outcome> {
        // Everything that could be written was: a message that is whole was among it.
        let mut maybe_whole = false;
        loop {
            let written = self.write(deadline);
            maybe_whole |= written;
            match self.session.outcome(ticket) {
                Some(Outcome::Lost { .. } | Outcome::Sent) if self.unwritable && !maybe_whole => {
                    return None;
                }
                Some(Outcome::Sent) if !written => {
                    // Nobody will be there to write the rest.
                    self.end();
                    return Some(Outcome::Lost { sent: true });
                }
                Some(outcome) => return Some(outcome),
                None if written && self.read(deadline) => {}
                None => return Some(self.give_up(ticket)),
            }
        }
    }

    /// The deadline is over: the server is told, as far as it takes bytes now.
    fn give_up(&mut self, ticket: Ticket) -> Outcome {
        let now = Instant::now();
        // It has no reply to wait for credit.
        _ = self.session.timed_out(now);
        self.write(now);
        self.session.outcome(ticket).unwrap_or_else(|| {
            // A one-way message that has begun to leave ends with the connection.
            self.end();
            Outcome::Late { sent: false }
        })
    }

    /// Writes what there is to write; `false` if something is left, at the deadline or the end.
    ///
    /// A server that takes nothing while it has something to say is heard first.
    fn write(&mut self, deadline: Instant) -> bool {
        while !self.ended {
            let output = self.session.output();
            if output.is_empty() {
                return true;
            }
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = output.slices(&mut slices);
            match self.socket.write_now(&slices[..count]) {
                Ok(Some(written)) => output.advance(written),
                Ok(None) => match self.socket.room(deadline) {
                    Ok(Some(Ready::Write)) => {}
                    Ok(Some(Ready::Read)) => self.look(),
                    Ok(None) => return false,
                    Err(_) => self.end(),
                },
                Err(_) => {
                    self.unwritable = true;
                    // It may have answered before it left.
                    self.look();
                    self.end();
                }
            }
        }
        false
    }

    /// Waits for bytes and deals with them; `false` if none came by the deadline.
    fn read(&mut self, deadline: Instant) -> bool {
        let mut buffer = self.input.buffer();
        let room = buffer.remaining_mut().min(SCRATCH);
        let read = self.socket.read(&mut self.scratch[..room], deadline).transpose();
        let Some(read) = read else { return false };
        buffer.put_slice(&self.scratch[..*read.as_ref().unwrap_or(&0)]);
        self.received(&read);
        self.seen = Instant::now();
        true
    }

    /// Deals with what is there.
    fn look(&mut self) {
        while !self.ended {
            let mut buffer = self.input.buffer();
            let room = buffer.remaining_mut().min(SCRATCH);
            let read = self.socket.read_now(&mut self.scratch[..room]).transpose();
            let Some(read) = read else { return };
            buffer.put_slice(&self.scratch[..*read.as_ref().unwrap_or(&0)]);
            self.received(&read);
        }
    }

    fn received(&mut self, read: &io::Result<usize>) {
        let now = Instant::now();
        let violation = loop {
            match self.input.next(&mut self.session, &mut Passive, now) {
                Ok(true) => {}
                Ok(false) => break None,
                Err(violation) => break Some(violation),
            }
        };
        // What it tells is asked for.
        while self.session.poll_event().is_some() {}
        if let Some(violation) = violation {
            let text = violation.text();
            tracing::warn!(text, "the server broke the rules of the wire");
            self.session.goaway(0, text);
            self.last_words();
            self.end();
        } else if !matches!(read, Ok(1..)) {
            // One that was reset has ended, too.
            self.end();
        }
    }

    /// Writes what the socket takes at once.
    fn last_words(&mut self) {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = self.session.output().slices(&mut slices);
        // There is nobody to tell.
        _ = self.socket.write_now(&slices[..count]);
    }

    fn end(&mut self) {
        self.ended = true;
        self.session.lost();
        self.input.end(&mut Passive);
    }
}

/// In a child that was forked off, only the child's copy of the socket is closed.
impl Drop for Connection {
    fn drop(&mut self) {
        if !self.ended && !self.process.is_surely_forked() {
            self.say_goodbye(Instant::now() + LINGER);
        }
    }
}

/// Takes nothing in: a server that sends messages to this side breaks the rules before that.
struct Passive;

impl Admission for Passive {
    fn max_len(&mut self, _: u32, _: bool) -> Result<u64, Box<Refusal>> {
        Err(Refusal::of(code::UNSUPPORTED, "no messages are taken here"))
    }

    fn reserve(&mut self, _: u64) -> bool {
        false
    }

    fn release(&mut self, _: u64) {}
}
