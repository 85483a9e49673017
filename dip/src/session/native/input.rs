//! What arrives: bytes become frames, and frames messages.

mod assembly;
mod frames;
mod messages;
mod plain;

use std::ops::Range;
use std::time::Instant;

use bytes::{BufMut, Bytes, buf::Limit};
use rustc_hash::FxHashMap;

use self::assembly::Assembly;
use self::messages::Messages;
use super::{Admission, Receipt, RequestKey, Session, Violation};
use crate::buffer;
use crate::codec::Body;
use crate::wire::native::Trace;

/// What is read at once while bodies are long, in bytes: enough for some frames of other calls.
const ROOM_BESIDE_LONG: usize = 8 << 10;

/// The longest body of a frame that is no message and no answer to one, in bytes.
const MAX_CONTROL: u32 = 4 << 10;

/// A message of theirs that is to be dealt with.
#[derive(Debug)]
pub(crate) enum Received {
    Request {
        head: RequestHead,
        body: Whole,
    },
    Notice {
        head: NoticeHead,
        body: Whole,
    },
    /// A message that is not taken in. A caller was told.
    Refused {
        mtype: u32,
        code: u16,
    },
}

/// The read buffer, and the bodies that are not complete.
#[derive(Debug, Default)]
pub(crate) struct Input {
    read: Vec<u8>,
    /// Bytes of `read` that are dealt with.
    at: usize,
    /// The last message was long: the next one may be, and had better be read to where it goes.
    long: bool,
    front: Front,
    /// By call, or by the id of a one-way message; 0 is one that came in a single long frame.
    assemblies: FxHashMap<u32, Assembly>,
    held: usize,
    received: Messages,
    /// No frame is dealt with in fewer steps than others.
    #[cfg(test)]
    pub(super) longhand: bool,
}

/// What the next bytes belong to.
#[derive(Clone, Copy, Debug, Default)]
enum Front {
    #[default]
    Frame,
    /// A body that grows to this length with this frame.
    Piece { id: u32, until: usize, more: bool },
    /// Nothing that matters.
    Skipped(u64),
}

/// A call of theirs without its body.
#[derive(Clone, Debug)]
pub(crate) struct RequestHead {
    pub(crate) key: RequestKey,
    pub(crate) mtype: u32,
    pub(crate) deadline: Instant,
    pub(crate) depth: u8,
    /// In a box: most have none.
    pub(crate) trace: Option<Box<Trace>>,
}

/// A one-way message of theirs without its body.
#[derive(Debug)]
pub(crate) struct NoticeHead {
    pub(crate) receipt: Receipt,
    pub(crate) mtype: u32,
    /// In a box: most have none.
    pub(crate) trace: Option<Box<Trace>>,
}

/// What became of the bytes in front.
#[derive(Clone, Copy)]
enum Step {
    /// More bytes are needed.
    Starved,
    Again,
    /// A frame is dealt with, or what came of it is received.
    Dealt,
}

/// Where a complete body is: see [`Input::body`].
#[derive(Debug)]
pub(crate) enum Whole {
    /// In the read buffer, which is never as long as a `u32` can say: where it begins and how long it is.
    Here(u32, u32),
    /// With the bytes of memory that were reserved for it. In a box: few are long.
    Own(Box<(Bytes, u64)>),
}

impl Whole {
    #[inline]
    fn here(range: &Range<usize>) -> Self {
        Self::Here(range.start as u32, range.len() as u32)
    }
}

impl Input {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Where the next bytes go: behind what was read, or to the body that they belong to.
    pub(crate) fn buffer(&mut self) -> Limit<&mut Vec<u8>> {
        self.read.drain(..self.at);
        self.at = 0;
        if let Front::Piece { id, until, .. } = self.front
            && self.read.is_empty()
            && let Some(assembly) = self.assemblies.get_mut(&id)
        {
            self.held += assembly.grow(until);
            return assembly.buffer(until);
        }
        if self.read.capacity() < buffer::READ {
            let mut read = buffer::to_read();
            read.extend_from_slice(&self.read);
            self.read = read;
        }
        let room = self.read.capacity() - self.read.len();
        (&mut self.read).limit(if self.long { room.min(ROOM_BESIDE_LONG) } else { room })
    }

    /// Nothing comes for now: keeps no more memory than there are bytes.
    pub(crate) fn rest(&mut self) {
        if self.read.capacity() > 0 {
            let kept = self.read[self.at..].to_vec();
            buffer::was_read(std::mem::replace(&mut self.read, kept));
            self.at = 0;
        }
    }

    /// Takes bytes that came before, behind a handshake.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.read.extend_from_slice(bytes);
    }

    /// Deals with the next whole frame; `false` if there is none. A message that it completes is
    /// [received](Self::received) then. After a violation the connection ends.
    pub(crate) fn next(
        &mut self,
        session: &mut Session,
        admission: &mut impl Admission,
        now: Instant,
    ) -> Result<bool, Violation> {
        session.at(now);
        let dealt = self.deal(session, admission)?;
        session.held = self.held;
        Ok(dealt)
    }

    /// Deals with whole frames until so many messages are received, or up to the first that has to do with
    /// a message before it: there is news in the session then. Says in `any` whether there was a frame,
    /// and hands back whether there may be more.
    pub(crate) fn take(
        &mut self,
        most: usize,
        session: &mut Session,
        admission: &mut impl Admission,
        now: Instant,
        any: &mut bool,
    ) -> Result<bool, Violation> {
        session.at(now);
        let mut more = true;
        while more && self.received.len() < most && !session.has_news() {
            more = self.deal(session, admission)?;
            *any |= more;
        }
        session.held = self.held;
        Ok(more)
    }

    #[inline]
    fn deal(
        &mut self,
        session: &mut Session,
        admission: &mut impl Admission,
    ) -> Result<bool, Violation> {
        loop {
            match self.step(session, admission)? {
                Step::Again => {}
                Step::Dealt => return Ok(true),
                Step::Starved => return Ok(false),
            }
        }
    }

    /// The messages that came, for somebody to take out.
    pub(crate) fn received(&mut self) -> &mut Messages {
        &mut self.received
    }

    /// Whether the stream would end inside a frame if it ended now.
    pub(crate) fn is_mid_frame(&self) -> bool {
        !matches!(self.front, Front::Frame) || self.at < self.read.len()
    }

    /// What bodies that are not complete may take besides their bytes.
    #[cfg(test)]
    pub(super) fn room_behind_bodies(&self) -> usize {
        self.assemblies.len() * assembly::BEHIND
    }

    /// Whether nothing is held: no part of a frame, and no part of a body.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        !self.is_mid_frame() && self.assemblies.is_empty()
    }

    /// When the oldest body began that is taken in and not complete: a frame of it may be minutes old
    /// while others come and go.
    pub(crate) fn unfinished_since(&self) -> Option<Instant> {
        let kept = self.assemblies.values().filter(|assembly| !assembly.purpose.is_skipped());
        kept.map(|assembly| assembly.since).min()
    }

    /// The connection is over: gives back what was reserved for bodies that will never be complete.
    pub(crate) fn end(&mut self, admission: &mut impl Admission) {
        for assembly in std::mem::take(&mut self.assemblies).into_values() {
            admission.release(assembly.reserved);
        }
        *self = Self::new();
    }

    fn step(
        &mut self,
        session: &mut Session,
        admission: &mut impl Admission,
    ) -> Result<Step, Violation> {
        match self.front {
            Front::Frame => self.frame(session, admission),
            Front::Piece { id, until, more } => {
                let Some(assembly) = self.assemblies.get_mut(&id) else {
                    self.front = Front::Frame;
                    return Ok(Step::Again);
                };
                assembly.take_behind(until, &mut self.read);
                self.held += assembly.fill(&self.read[self.at..], until, &mut self.at);
                if assembly.len() < until {
                    return Ok(Step::Starved);
                }
                self.front = Front::Frame;
                if more { Ok(Step::Dealt) } else { self.complete(id, session, admission) }
            }
            Front::Skipped(left) => {
                let here =
                    (self.read.len() - self.at).min(usize::try_from(left).unwrap_or(usize::MAX));
                self.at += here;
                let left = left - here as u64;
                self.front = if left == 0 { Front::Frame } else { Front::Skipped(left) };
                Ok(if left == 0 { Step::Again } else { Step::Starved })
            }
        }
    }

    /// The body of a message that was handed out since there was last room made for more, and the bytes of
    /// memory that were reserved for it.
    #[inline]
    pub(crate) fn body(&self, whole: &mut Whole) -> (Body<'_>, u64) {
        match whole {
            &mut Whole::Here(from, len) => {
                let from = from as usize;
                (Body::from(&self.read[from..from + len as usize]), 0)
            }
            Whole::Own(own) => {
                let (bytes, reserved) = std::mem::take(&mut **own);
                (bytes.into(), reserved)
            }
        }
    }
}
