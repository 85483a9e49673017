//! The server's side of a classic connection: frames are put together, each gets one reply.
//!
//! One message is in hand at a time; what arrives meanwhile is read ahead, so that the session knows
//! when it came. That decides whether the reply in hand still makes sense: a Python client that has
//! given up waiting sends its next message on the same connection and would take a late reply for
//! the answer to that one. So a reply still due when a later frame arrives more than [`LATE`] after
//! its own frame is never written, nor one of which that cannot be ruled out, because nobody looked
//! at the stream for so long. Frames sent in one go keep one reply each.

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};

pub(crate) use super::arrivals::QUIET;

use super::arrivals::Arrivals;
use crate::limits::{self, Limits};
use crate::reply::{Code, Rejection};
use crate::wire::classic::{self, HEADER};

/// A reply is late when a later frame arrives this long after the frame it answers.
pub(crate) const LATE: Duration = Duration::from_millis(250);

/// From this age on a frame must have brought the bytes per second that the limits ask for.
const SETTLED: Duration = Duration::from_secs(5);

/// The step in which a buffer grows, in bytes.
const STEP: usize = 64 << 10;

/// Bytes that are read ahead behind a whole frame: what a worker that times out sends meanwhile.
const AHEAD: usize = 8 << 20;

/// The least room that a connection has for its next frame; it keeps twice what the last one took.
const IDLE: usize = 512;

/// Of a frame of at most this length, header included, the body is copied if nothing came behind it:
/// its room is left to the next one.
const COPIED: usize = 4 << 10;

/// What a session asks before it takes a body in.
pub(crate) trait Admission {
    /// The longest body of this type in bytes, or why none is taken.
    fn max_len(&self, mtype: u8) -> Result<usize, Rejection>;
}

/// What has arrived. Its reply is due.
#[derive(Debug)]
pub(crate) enum Event {
    /// A message.
    Message(u8, Bytes),
    /// A frame whose body was not taken in, and why.
    Refused(u8, Rejection),
}

/// What took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// The first frame of the connection.
    Handshake,
    /// A frame, from its first byte to its last.
    Frame,
    /// A frame that brings too few bytes a second.
    Progress,
}

/// The server's side of a classic connection.
#[derive(Debug)]
pub(crate) struct Session {
    handshake: Duration,
    frame: Duration,
    /// Bytes per second.
    progress: usize,
    longest_discard: usize,
    opened: Instant,
    /// What has arrived and was not handed out.
    input: BytesMut,
    /// Bytes of the memory that `input` may have in common with bodies that were split off, or 0.
    shared: usize,
    /// The place of `input` in the stream.
    offset: u64,
    arrivals: Arrivals,
    room: usize,
    front: Front,
    /// Where the frame of the message in hand ended.
    in_hand: Option<u64>,
    greeted: bool,
    closing: bool,
    /// Said behind the reply that is due.
    last_word: Option<Rejection>,
    output: BytesMut,
}

/// The frame at the front of the input.
#[derive(Debug)]
enum Front {
    /// Its header is not there yet.
    Header,
    /// It is taken in.
    Body { mtype: u8, len: usize },
    /// Its body goes as it comes; then its sender is told why.
    Discarded { mtype: u8, len: usize, left: usize, since: Instant, why: Rejection },
    /// It is too long even for that: the stream ends here.
    Endless { mtype: u8, why: Rejection },
}

impl Session {
    pub(crate) fn new(limits: &Limits, now: Instant) -> Self {
        Self {
            handshake: limits.handshake,
            frame: limits.frame,
            progress: limits.progress.0,
            longest_discard: limits.max_message.0,
            opened: now,
            input: BytesMut::new(),
            shared: 0,
            offset: 0,
            arrivals: Arrivals::default(),
            room: IDLE,
            front: Front::Header,
            in_hand: None,
            greeted: false,
            closing: false,
            last_word: None,
            output: BytesMut::new(),
        }
    }

    /// Whether more bytes may be read now: also those behind a whole frame, to know when they came.
    pub(crate) fn wants_input(&self) -> bool {
        let ahead = self.whole().map_or(0, |len| self.input.len() - len);
        !self.closing && ahead < AHEAD
    }

    /// Where the next bytes go: as many as there is room for.
    pub(crate) fn input(&mut self) -> &mut BytesMut {
        let wanted = match self.front {
            Front::Body { len, .. } => (HEADER + len).saturating_sub(self.input.len()),
            _ => 0,
        };
        let left = self.input.capacity() - self.input.len();
        if left < wanted.clamp(self.room / 2, STEP) {
            self.input.reserve(wanted.clamp(self.room, STEP));
        }
        &mut self.input
    }

    /// Bytes were appended to the input, which had room for more or was filled.
    pub(crate) fn received(&mut self, bytes: usize, now: Instant, admission: &impl Admission) {
        let full = self.input.len() == self.input.capacity();
        // An idle connection holds next to nothing, one that fills its buffer gets a larger one.
        let len = self.input.len();
        // A short frame that came in parts takes the room of all of them.
        let came = if len <= COPIED { len } else { bytes };
        self.room = if full { (self.room * 2).min(STEP) } else { (came * 2).clamp(IDLE, STEP) };
        let end = self.offset + len as u64;
        self.arrivals.push(end - bytes as u64, now);
        self.advance(admission);
    }

    /// Nobody has looked for bytes for longer than [`LATE`]: when those came that are read now is
    /// not known.
    pub(crate) fn lost_sight(&mut self) {
        self.arrivals.lost_sight();
    }

    /// There is nothing more to read for now.
    pub(crate) fn drained(&mut self) {
        self.arrivals.drained();
    }

    /// Bytes that the session holds, with a body in hand of this length.
    pub(crate) fn buffered(&self, in_hand: usize) -> usize {
        (self.input.capacity() + in_hand).max(self.shared)
    }

    /// Whether a whole frame has arrived.
    pub(crate) fn greeted(&self) -> bool {
        self.greeted
    }

    /// What comes next, once no reply is due.
    pub(crate) fn poll_event(&mut self, admission: &impl Admission) -> Option<Event> {
        if self.in_hand.is_some() || self.closing {
            return None;
        }
        let len = self.whole()?;
        let event = match std::mem::replace(&mut self.front, Front::Header) {
            Front::Header => return None,
            Front::Body { mtype, .. } => Event::Message(mtype, self.take_body(len)),
            Front::Discarded { mtype, why, .. } => Event::Refused(mtype, why),
            Front::Endless { mtype, why } => {
                self.closing = true;
                self.take(self.input.len());
                Event::Refused(mtype, why)
            }
        };
        self.greeted = true;
        self.in_hand = Some(self.offset);
        self.arrivals.forget(self.offset.saturating_sub(1));
        self.advance(admission);
        Some(event)
    }

    /// Ends the message in hand. `false` says that its reply came too late to be written.
    pub(crate) fn reply(&mut self, reply: Result<(), &Rejection>) -> bool {
        let Some(end) = self.in_hand.take() else { return false };
        let in_time = !self.is_late(end);
        match reply {
            Ok(()) if in_time => self.output.extend_from_slice(classic::ACK),
            Err(rejection) if in_time => self.say(rejection),
            _ => {}
        }
        self.say_last_word();
        in_time
    }

    /// Takes nothing more, and says why: behind the reply that is due, or it would be taken for it.
    pub(crate) fn close(&mut self, last_word: Option<Rejection>) {
        self.closing = true;
        self.last_word = last_word;
        self.say_last_word();
    }

    /// Whether the stream would end inside a frame if it ended now.
    pub(crate) fn is_mid_frame(&self) -> bool {
        !matches!(self.front, Front::Header) || !self.input.is_empty()
    }

    /// Whether nothing more is taken.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing
    }

    /// Bytes to write; those that were written are taken off the front.
    pub(crate) fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// When to ask [`overdue`](Self::overdue).
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.deadline().map(|(at, _)| at)
    }

    /// What has taken too long by now.
    pub(crate) fn overdue(&self, now: Instant) -> Option<Overdue> {
        self.deadline().filter(|(at, _)| *at <= now).map(|(_, what)| what)
    }

    fn deadline(&self) -> Option<(Instant, Overdue)> {
        if self.closing {
            return None;
        }
        let end = limits::end;
        let handshake =
            (!self.greeted).then(|| (end(self.opened, self.handshake), Overdue::Handshake));
        let frame = self.unfinished().map(|(since, len)| {
            let paid = Duration::from_secs_f64(len as f64 / self.progress.max(1) as f64);
            let progress = (end(since, SETTLED + paid), Overdue::Progress);
            let frame = (end(since, self.frame), Overdue::Frame);
            if progress.0 < frame.0 { progress } else { frame }
        });
        handshake.into_iter().chain(frame).min_by_key(|(at, _)| *at)
    }

    /// When the unfinished frame in front began, and how many bytes of it there are.
    fn unfinished(&self) -> Option<(Instant, usize)> {
        if self.whole().is_some() {
            return None;
        }
        if let Front::Discarded { len, left, since, .. } = self.front {
            return Some((since, len - left));
        }
        let first = self.arrivals.of(self.offset).filter(|_| !self.input.is_empty())?;
        Some((first.at, self.input.len()))
    }

    /// The length of the frame in front as far as it is in the input, once it is complete.
    fn whole(&self) -> Option<usize> {
        match self.front {
            Front::Body { len, .. } if self.input.len() >= HEADER + len => Some(HEADER + len),
            Front::Discarded { left: 0, .. } | Front::Endless { .. } => Some(0),
            _ => None,
        }
    }

    /// Whether the sender of the message in hand may have given up, and what it sent then may still
    /// be on its way: its reply had better wait for [`QUIET`].
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.in_hand.is_some_and(|end| {
            let own = self.arrivals.of(end - 1);
            own.is_none_or(|own| !own.is_sure) && !self.more_came(end)
        })
    }

    fn more_came(&self, end: u64) -> bool {
        self.offset + self.input.len() as u64 > end
    }

    /// Whether a later frame has arrived so long after the one that ended at `end` that its sender
    /// cannot be waiting for the answer to that one any more, for all that is known.
    fn is_late(&self, end: u64) -> bool {
        if !self.more_came(end) {
            return false;
        }
        let (Some(own), Some(next)) = (self.arrivals.of(end - 1), self.arrivals.of(end)) else {
            return true;
        };
        !own.is_sure || !next.is_sure || next.at.saturating_duration_since(own.at) > LATE
    }

    /// Looks at the header in front, and lets go of what is not taken in.
    fn advance(&mut self, admission: &impl Admission) {
        if let Front::Header = self.front
            && let Some(header) = self.input.first_chunk::<HEADER>()
        {
            let (mtype, len) = classic::parse_header(*header);
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            let why = match admission.max_len(mtype) {
                Ok(max) if len <= max => None,
                Ok(max) => Some(too_long(mtype, len, max)),
                Err(rejection) => Some(rejection),
            };
            let since = self.arrivals.of(self.offset).map_or(self.opened, |first| first.at);
            self.front = match why {
                None => Front::Body { mtype, len },
                Some(why) if len > self.longest_discard => Front::Endless { mtype, why },
                Some(why) => {
                    self.take(HEADER);
                    Front::Discarded { mtype, len, left: len, since, why }
                }
            };
        }
        if let Front::Discarded { left, .. } = &mut self.front {
            let gone = self.input.len().min(*left);
            *left -= gone;
            self.take(gone);
        }
    }

    /// Takes the frame in front, which has this length, for its body.
    fn take_body(&mut self, len: usize) -> Bytes {
        let keeps = self.shared == 0 && self.input.capacity() <= 2 * self.room;
        if len > COPIED || len < self.input.len() || !keeps {
            let mut body = self.take(len);
            body.advance(HEADER);
            return body.freeze();
        }
        let body = Bytes::copy_from_slice(&self.input[HEADER..]);
        self.offset += len as u64;
        self.input.clear();
        body
    }

    fn take(&mut self, len: usize) -> BytesMut {
        self.offset += len as u64;
        self.shared = self.buffered(0);
        let taken = self.input.split_to(len);
        // What stays in the buffer would keep the memory of a long body alive, and be kept by it.
        if self.input.is_empty() {
            (self.input, self.shared) = (BytesMut::new(), 0);
        } else if len > STEP {
            (self.input, self.shared) = (BytesMut::from(&self.input[..]), 0);
        }
        taken
    }

    fn say_last_word(&mut self) {
        if self.in_hand.is_none()
            && let Some(word) = self.last_word.take()
        {
            self.say(&word);
        }
    }

    fn say(&mut self, rejection: &Rejection) {
        let text = rejection.text_on_wire();
        self.output.extend_from_slice(text.as_bytes());
    }
}

fn too_long(mtype: u8, len: usize, max: usize) -> Rejection {
    let mtype = crate::Mtype::byte(mtype);
    let text = format!("a message {mtype} has at most {max} bytes here, this one has {len}");
    Rejection::of(Code::TooLarge, "ValueError", text)
}
