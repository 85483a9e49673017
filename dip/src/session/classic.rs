//! The server's side of a classic connection: frames are put together, each gets one reply.
//!
//! One message is in hand at a time; what arrives meanwhile is read ahead, so that the session knows
//! when it came. That decides whether the reply in hand still makes sense: a Python client that has
//! given up waiting sends its next message on the same connection and would take a late reply for
//! the answer to that one. So a reply still due when a later frame arrives more than [`LATE`] after
//! its own frame is never written. Frames sent in one go keep one reply each.

use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};

use super::arrivals::Arrivals;
use crate::limits::Limits;
use crate::reply::{Code, Rejection};
use crate::wire::classic::{self, HEADER};

/// A reply is late when a later frame arrives this long after the frame it answers.
pub(crate) const LATE: Duration = Duration::from_millis(250);

/// From this age on a frame must have brought the bytes per second that the limits ask for.
const SETTLED: Duration = Duration::from_secs(5);

/// Bytes read ahead behind a whole frame, and the step in which a buffer grows.
const STEP: usize = 64 << 10;

/// Room that a connection keeps for its next frame while nothing happens.
const IDLE: usize = 512;

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
    /// The place of `input` in the stream.
    offset: u64,
    arrivals: Arrivals,
    room: usize,
    front: Front,
    /// Where the frame of the message in hand ended.
    in_hand: Option<u64>,
    greeted: bool,
    closing: bool,
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
            offset: 0,
            arrivals: Arrivals::default(),
            room: IDLE,
            front: Front::Header,
            in_hand: None,
            greeted: false,
            closing: false,
            output: BytesMut::new(),
        }
    }

    /// Whether more bytes may be read now.
    pub(crate) fn wants_input(&self) -> bool {
        match self.whole() {
            _ if self.closing => false,
            None => true,
            Some(len) => self.in_hand.is_some() && self.input.len() - len < STEP,
        }
    }

    /// Where the next bytes go: as many as there is room for.
    pub(crate) fn input(&mut self) -> &mut BytesMut {
        let wanted = match self.front {
            Front::Body { len, .. } => (HEADER + len).saturating_sub(self.input.len()),
            _ => 0,
        };
        self.input.reserve(wanted.clamp(self.room, STEP));
        &mut self.input
    }

    /// Bytes were appended to the input, which had room for more or was filled.
    pub(crate) fn received(&mut self, bytes: usize, now: Instant, admission: &impl Admission) {
        let full = self.input.len() == self.input.capacity();
        // An idle connection holds next to nothing, one that fills its buffer gets a larger one.
        self.room = if full { (self.room * 2).min(STEP) } else { (bytes * 2).clamp(IDLE, STEP) };
        let end = self.offset + self.input.len() as u64;
        self.arrivals.push(end - bytes as u64, full, now);
        self.advance(admission);
    }

    /// There is nothing more to read for now.
    pub(crate) fn drained(&mut self) {
        self.arrivals.drained();
    }

    /// Bytes that the session holds.
    pub(crate) fn buffered(&self) -> usize {
        self.input.capacity()
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
            Front::Body { mtype, .. } => {
                let mut body = self.take(len);
                body.advance(HEADER);
                Event::Message(mtype, body.freeze())
            }
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
        if self.is_late(end) {
            return false;
        }
        match reply {
            Ok(()) => self.output.extend_from_slice(classic::ACK),
            Err(rejection) => self.say(rejection),
        }
        true
    }

    /// Takes nothing more, and says why.
    pub(crate) fn close(&mut self, last_word: &Rejection) {
        self.closing = true;
        self.say(last_word);
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
        let handshake = (!self.greeted).then(|| (self.opened + self.handshake, Overdue::Handshake));
        let frame = self.unfinished().map(|(since, len)| {
            let paid = Duration::from_secs_f64(len as f64 / self.progress.max(1) as f64);
            let progress = (since + SETTLED + paid, Overdue::Progress);
            let frame = (since + self.frame, Overdue::Frame);
            if progress.0 < frame.0 { progress } else { frame }
        });
        handshake.into_iter().chain(frame).min_by_key(|(at, _)| *at)
    }

    /// When the unfinished frame in front began, and how many bytes of it there are.
    fn unfinished(&self) -> Option<(Instant, usize)> {
        if self.closing || self.whole().is_some() {
            return None;
        }
        if let Front::Discarded { len, left, since, .. } = self.front {
            return Some((since, len - left));
        }
        let since = self.arrivals.at(self.offset).filter(|_| !self.input.is_empty())?;
        Some((since, self.input.len()))
    }

    /// The length of the frame in front as far as it is in the input, once it is complete.
    fn whole(&self) -> Option<usize> {
        match self.front {
            Front::Body { len, .. } if self.input.len() >= HEADER + len => Some(HEADER + len),
            Front::Discarded { left: 0, .. } | Front::Endless { .. } => Some(0),
            _ => None,
        }
    }

    fn is_late(&self, end: u64) -> bool {
        let (Some(own), Some(next)) = (self.arrivals.at(end - 1), self.arrivals.at(end)) else {
            return false;
        };
        let more_came = self.offset + self.input.len() as u64 > end;
        more_came && next.saturating_duration_since(own) > LATE
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
            let since = self.arrivals.at(self.offset).unwrap_or(self.opened);
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

    fn take(&mut self, len: usize) -> BytesMut {
        self.offset += len as u64;
        let taken = self.input.split_to(len);
        if self.input.is_empty() {
            // The rest of the buffer would keep the body's memory alive, or be kept by it.
            self.input = BytesMut::new();
        }
        taken
    }

    fn say(&mut self, rejection: &Rejection) {
        let text = classic::error_text(rejection.class(), rejection.text());
        self.output.extend_from_slice(text.as_bytes());
    }
}

fn too_long(mtype: u8, len: usize, max: usize) -> Rejection {
    let mtype = crate::Mtype::byte(mtype);
    let text = format!("a message {mtype} has at most {max} bytes here, this one has {len}");
    Rejection::of(Code::TooLarge, "ValueError", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes `O` up to 100,000 bytes.
    struct Only;

    impl Admission for Only {
        fn max_len(&self, mtype: u8) -> Result<usize, Rejection> {
            let unknown = || Rejection::of(Code::UnknownType, "UnsupportedProtoError", "no");
            if mtype == b'O' { Ok(100_000) } else { Err(unknown()) }
        }
    }

    struct Script {
        session: Session,
        start: Instant,
    }

    impl Script {
        fn new() -> Self {
            let start = Instant::now();
            Self { session: Session::new(&Limits::default(), start), start }
        }

        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        /// `bytes` arrive in one read of their own.
        fn receive(&mut self, ms: u64, bytes: &[u8]) -> &mut Self {
            let mut rest = bytes;
            while !rest.is_empty() {
                let input = self.session.input();
                let room = input.capacity() - input.len();
                let now = rest.len().min(room);
                input.extend_from_slice(&rest[..now]);
                rest = &rest[now..];
                let at = self.at(ms);
                self.session.received(now, at, &Only);
            }
            self.session.drained();
            self
        }

        fn message(&mut self) -> Option<String> {
            match self.session.poll_event(&Only)? {
                Event::Message(_, body) => Some(String::from_utf8_lossy(&body).into_owned()),
                Event::Refused(_, rejection) => Some(rejection.to_string()),
            }
        }

        fn written(&mut self) -> String {
            let output = self.session.output().split();
            String::from_utf8_lossy(&output).into_owned()
        }
    }

    fn frame(text: &str) -> Vec<u8> {
        let mut frame = classic::header(b'O', text.len() as u32).to_vec();
        frame.extend_from_slice(text.as_bytes());
        frame
    }

    #[test]
    fn a_frame_is_put_together_however_it_is_cut() {
        let frames = [frame("hello"), frame(""), frame("world")].concat();
        for cut in 0..=frames.len() {
            let mut script = Script::new();
            let mut seen = Vec::new();
            for (ms, part) in [(0, &frames[..cut]), (1, &frames[cut..])] {
                script.receive(ms, part);
                while let Some(text) = script.message() {
                    seen.push(text);
                    assert!(script.session.reply(Ok(())));
                }
            }
            assert_eq!(seen, ["hello", "", "world"], "cut at {cut}");
            assert_eq!(script.written(), "okokok");
        }
    }

    #[test]
    fn frames_sent_in_one_go_keep_one_reply_each() {
        let mut script = Script::new();
        script.receive(0, &[frame("a"), frame("b")].concat());
        assert_eq!(script.message().as_deref(), Some("a"));
        assert_eq!(script.message(), None, "a reply is due");
        assert!(script.session.reply(Ok(())));
        assert_eq!(script.message().as_deref(), Some("b"));
        assert!(script.session.reply(Err(&Rejection::named("ValueError", "x"))));
        assert_eq!(script.written(), "okValueError('x')");
    }

    #[test]
    fn a_long_burst_is_one_go_however_slowly_it_is_handled() {
        let mut script = Script::new();
        let burst: Vec<u8> = (0..50).flat_map(|_| frame(&"x".repeat(5_000))).collect();
        let (mut rest, mut ms, mut replies) = (&burst[..], 0, 0);
        while replies < 50 {
            while script.session.wants_input() && !rest.is_empty() {
                let input = script.session.input();
                let room = (input.capacity() - input.len()).min(rest.len());
                input.extend_from_slice(&rest[..room]);
                rest = &rest[room..];
                let at = script.at(ms);
                script.session.received(room, at, &Only);
            }
            if script.message().is_some() {
                ms += 1_000;
                replies += usize::from(script.session.reply(Ok(())));
            }
        }
        assert_eq!(script.written(), "ok".repeat(50));
    }

    #[test]
    fn a_reply_still_due_when_a_later_frame_arrives_is_never_written() {
        let mut script = Script::new();
        script.receive(0, &frame("slow"));
        assert_eq!(script.message().as_deref(), Some("slow"));
        script.receive(2_000, &frame("next")[..1]);
        assert!(!script.session.reply(Ok(())), "the client has given up");
        script.receive(2_001, &frame("next")[1..]);
        assert_eq!(script.message().as_deref(), Some("next"));
        assert!(script.session.reply(Ok(())));
        assert_eq!(script.written(), "ok");
    }

    #[test]
    fn lateness_is_known_of_frames_that_waited_behind_another() {
        let mut script = Script::new();
        script.receive(0, &frame("first"));
        script.message();
        script.receive(2_000, &frame("second"));
        script.receive(4_000, &frame("third"));
        assert!(!script.session.reply(Ok(())));
        assert_eq!(script.message().as_deref(), Some("second"));
        assert!(!script.session.reply(Ok(())), "`third` came 2 s after `second`");
        assert_eq!(script.message().as_deref(), Some("third"));
        assert!(script.session.reply(Ok(())));
        assert_eq!(script.written(), "ok");
    }

    #[test]
    fn a_frame_soon_after_another_leaves_its_reply_alone() {
        let mut script = Script::new();
        script.receive(0, &frame("a"));
        script.message();
        script.receive(250, &frame("b"));
        assert!(script.session.reply(Ok(())));
    }

    #[test]
    fn a_body_of_unknown_type_is_discarded_and_answered() {
        let mut script = Script::new();
        script.receive(0, &[&b"Z\0\x01\0\0"[..], &[7; 65_535]].concat());
        assert_eq!(script.message(), None, "a byte is missing");
        assert!(script.session.buffered() <= STEP, "{}", script.session.buffered());
        script.receive(1, &[&[7][..], &frame("after")].concat());
        assert_eq!(script.message().as_deref(), Some("UnsupportedProtoError('no')"));
        assert!(script.session.reply(Err(&Rejection::named("E", ""))));
        assert_eq!(script.message().as_deref(), Some("after"));
    }

    #[test]
    fn a_header_announcing_4_gib_ends_the_stream_and_reserves_nothing() {
        for mtype in [b'O', b'Z'] {
            let mut script = Script::new();
            script.receive(0, &[mtype, 0xff, 0xff, 0xff, 0xff]);
            assert!(script.session.buffered() <= 2 * STEP);
            assert!(script.message().is_some());
            assert!(script.session.is_closing() && !script.session.wants_input());
            assert!(script.session.reply(Err(&Rejection::named("E", ""))), "it is still answered");
        }
    }

    #[test]
    fn a_known_type_over_its_limit_is_answered_and_the_connection_goes_on() {
        let mut script = Script::new();
        script.receive(0, &frame(&"x".repeat(100_001)));
        let text =
            "ValueError(\"a message 'O' has at most 100000 bytes here, this one has 100001\")";
        assert_eq!(script.message().as_deref(), Some(text));
        script.session.reply(Ok(()));
        script.receive(1, &frame("after"));
        assert_eq!(script.message().as_deref(), Some("after"));
    }

    #[test]
    fn time_limits_are_watched_in_order() {
        let mut script = Script::new();
        assert_eq!(script.session.overdue(script.at(4_999)), None);
        assert_eq!(script.session.overdue(script.at(5_000)), Some(Overdue::Handshake));
        script.receive(0, &frame("hi"));
        script.message();
        script.session.reply(Ok(()));
        assert_eq!(script.session.next_timeout(), None, "an idle connection has no limit");
        script.receive(10_000, b"O\0\0\xff\xff123");
        assert_eq!(script.session.overdue(script.at(15_000)), None);
        assert_eq!(script.session.overdue(script.at(15_100)), Some(Overdue::Progress));
        script.receive(14_000, &[1; 60_000]);
        assert_eq!(script.session.overdue(script.at(39_999)), None);
        assert_eq!(script.session.overdue(script.at(40_000)), Some(Overdue::Frame));
    }
}
