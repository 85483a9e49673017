//! Seeded runs of a session: frames cut and delayed at random, handlers of any length.
//!
//! `DIP_SEEDS=100000` runs more of them, `DIP_SEED=17` runs one again.

use std::collections::VecDeque;

use super::*;
use crate::session::seeds::{self, Random};

/// `O` is taken up to 150,000 bytes, all else is unknown.
struct Only;

impl Admission for Only {
    fn max_len(&self, mtype: u8) -> Result<usize, Rejection> {
        let unknown = || Rejection::of(Code::UnknownType, "UnsupportedProtoError", "no");
        if mtype == b'O' { Ok(150_000) } else { Err(unknown()) }
    }
}

/// A frame as its sender sees it, in ms.
struct Sent {
    first_byte: u64,
    last_byte: u64,
}

/// Frames are numbered: the reply to number 7 is `E('7')`, or the refusal of its type.
struct World {
    random: Random,
    session: Session,
    start: Instant,
    now: u64,
    /// Pieces on their way, and when they arrive.
    pieces: VecDeque<(u64, Vec<u8>)>,
    frames: Vec<Sent>,
    /// When the handler of the frame in hand is done.
    busy_until: Option<u64>,
    handled: usize,
    written: Vec<usize>,
    suppressed: Vec<usize>,
    /// The reader of the stream was kept from looking for over a quarter of a second at times.
    was_blind: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let (mut pieces, mut frames) = (VecDeque::new(), Vec::new());
        let mut at = random.below(1_000);
        for _ in 0..=random.below(12) {
            at += match random.below(4) {
                0 => 0,
                1 => random.below(200),
                2 => 300 + random.below(400),
                _ => 1_000 + random.below(3_000),
            };
            let len = match random.below(8) {
                0 => 0,
                1 => 100_000 + random.below(100_000),
                2 => random.below(5_000),
                _ => random.below(40),
            };
            let mtype = if random.one_in(6) { b'?' } else { b'O' };
            let mut frame = classic::header(mtype, u32::try_from(len).unwrap()).to_vec();
            frame.resize(HEADER + usize::try_from(len).unwrap(), b'x');
            let first_byte = at;
            let mut rest = &frame[..];
            while !rest.is_empty() {
                let cut = if random.one_in(2) {
                    rest.len()
                } else {
                    1 + random.below(rest.len() as u64) as usize
                };
                pieces.push_back((at, rest[..cut].to_vec()));
                rest = &rest[cut..];
                if !rest.is_empty() && random.one_in(3) {
                    at += random.below(700);
                }
            }
            frames.push(Sent { first_byte, last_byte: at });
        }
        let start = Instant::now();
        let session = Session::new(&Limits::default().handshake(Duration::MAX), start);
        Self {
            random,
            session,
            start,
            now: 0,
            pieces,
            frames,
            busy_until: None,
            handled: 0,
            written: Vec::new(),
            suppressed: Vec::new(),
            was_blind: false,
        }
    }

    fn run(&mut self) {
        while self.handled < self.frames.len() {
            self.read();
            self.take_in_hand();
            if self.busy_until.is_some_and(|until| until <= self.now) {
                self.reply();
                continue;
            }
            let arrival = self.pieces.front().map(|(at, _)| *at).filter(|at| *at > self.now);
            let next = [arrival, self.busy_until].into_iter().flatten().min();
            self.now = next.expect("a frame is neither under way nor in hand");
            // A thread that is kept busy looks late, and knows it.
            if self.random.one_in(20) {
                self.now += 300 + self.random.below(3_000);
                self.session.lost_sight();
                self.was_blind = true;
            }
            assert_eq!(self.session.overdue(self.at(self.now)), None);
        }
        assert!(!self.session.is_mid_frame());
        assert_eq!(self.session.buffered(0).min(2 * AHEAD), self.session.buffered(0));
    }

    fn at(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    /// All that has arrived by now, as a stream hands it out.
    fn read(&mut self) {
        while self.session.wants_input()
            && let Some((_, piece)) = self.pieces.front_mut().filter(|(at, _)| *at <= self.now)
        {
            let input = self.session.input();
            let len = piece.len().min(input.capacity() - input.len());
            input.extend_from_slice(&piece[..len]);
            piece.drain(..len);
            if piece.is_empty() {
                self.pieces.pop_front();
            }
            let now = self.at(self.now);
            self.session.received(len, now, &Only);
        }
        if self.session.wants_input() {
            self.session.drained();
        }
    }

    fn take_in_hand(&mut self) {
        if self.busy_until.is_none() && self.session.poll_event(&Only).is_some() {
            let took = match self.random.below(4) {
                0 => 0,
                1 => self.random.below(100),
                2 => self.random.below(600),
                _ => self.random.below(8_000),
            };
            self.busy_until = Some(self.now + took);
        }
    }

    fn reply(&mut self) {
        let number = self.handled;
        let rejection = Rejection::named("E", number.to_string());
        let before = self.session.output().len();
        if self.session.reply(Err(&rejection)) {
            self.written.push(number);
            let reply = format!("E('{number}')");
            assert_eq!(&self.session.output()[before..], reply.as_bytes());
        } else {
            self.suppressed.push(number);
            assert_eq!(self.session.output().len(), before);
        }
        self.check(number);
        self.busy_until = None;
        self.handled += 1;
    }

    /// The reply to this frame was written, or not, as its sender can bear it.
    fn check(&self, number: usize) {
        const GRAIN: u64 = 10;
        let late = 250;
        let was_written = self.written.last() == Some(&number);
        let own = &self.frames[number];
        let next = self.frames.get(number + 1).filter(|next| next.first_byte <= self.now);
        let gap = next.map_or(0, |next| next.first_byte - own.last_byte);
        if was_written {
            assert!(
                gap <= late + GRAIN,
                "the reply to {number} came {gap} ms into another request"
            );
        } else {
            assert!(next.is_some(), "the reply to {number} was due and is missing");
            assert!(
                gap + GRAIN > late || self.was_blind,
                "{number} and its successor came together"
            );
        }
    }
}

#[test]
fn replies_are_in_order_and_one_a_frame_but_for_late_ones() {
    let seeds = seeds::of(2_000);
    let (mut written, mut suppressed) = (0, 0);
    for seed in seeds.clone() {
        let (more, fewer) = seeds::run(seed, || {
            let mut world = World::new(seed);
            world.run();
            assert!(world.written.is_sorted() && world.suppressed.is_sorted());
            (world.written.len(), world.suppressed.len())
        });
        written += more;
        suppressed += fewer;
    }
    if seeds.end - seeds.start > 100 {
        assert!(written > suppressed && suppressed > 100, "{written} written, {suppressed} not");
    }
}
