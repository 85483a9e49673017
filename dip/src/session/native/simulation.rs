//! Seeded runs of two sessions and a wire that cuts and delays at random, with small limits, so that
//! every queue fills.
//!
//! `DIP_SEEDS=100000` runs more of them, `DIP_SEED=17` runs one again.

mod judgement;
mod peer;

use std::io::IoSlice;
use std::time::Duration;

use self::peer::Peer;
use super::*;
use crate::session::seeds::{self, Random};

/// Two peers, and the bytes that each has sent and the other has not received.
struct World {
    random: Random,
    peers: [Peer; 2],
    wires: [Vec<u8>; 2],
    start: Instant,
    ms: u64,
}

/// What a run has shown.
#[derive(Debug, Default)]
struct Seen {
    replies: usize,
    failures: usize,
    late: usize,
    lost: usize,
    refused: usize,
    notices: usize,
    flushes: usize,
    stops: usize,
    nested: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let [client, server] = [(); 2].map(|()| terms(&mut random));
        let start = Instant::now();
        let sides = [(Side::Connector, client, server), (Side::Acceptor, server, client)];
        let peers =
            sides.map(|(side, ours, theirs)| Peer::new(side, ours, theirs, &mut random, start));
        Self { random, peers, wires: Default::default(), start, ms: 0 }
    }

    fn run(mut self) -> Seen {
        let ends_badly = self.random.one_in(4);
        for _ in 0..60 + self.random.below(120) {
            self.step();
        }
        if ends_badly {
            self.lose();
        } else {
            self.come_to_rest();
        }
        let mut seen = Seen::default();
        let [one, other] = &self.peers;
        one.judge(other, ends_badly, &mut seen);
        other.judge(one, ends_badly, &mut seen);
        seen
    }

    fn step(&mut self) {
        let at = self.random.below(2) as usize;
        let now = self.now();
        match self.random.below(12) {
            0..3 => self.peers[at].command(&mut self.random, now),
            3..5 => drop(self.write(at)),
            5..8 => drop(self.deliver(at)),
            8..10 => drop(self.peers[at].work(&mut self.random, now)),
            10 => {
                self.ms += self.random.below(40);
                self.tick();
            }
            _ => {
                let peer = &mut self.peers[at];
                if self.random.one_in(100) {
                    peer.session.goaway(0, "bye");
                } else {
                    peer.abandon_one(&mut self.random, now);
                }
            }
        }
        self.look();
    }

    /// Carries everything and lets every handler end, until nothing is under way.
    fn come_to_rest(&mut self) {
        for round in 0.. {
            assert!(round < 20_000, "no rest");
            let now = self.now();
            let mut moved = false;
            for at in [0, 1] {
                moved |= self.write(at) | self.deliver(at);
                moved |= self.peers[at].work(&mut self.random, now);
            }
            self.look();
            if moved {
                continue;
            }
            let [one, other] = self.peers.each_ref().map(|peer| &peer.session);
            assert!(!one.is_starved_by(other) && !other.is_starved_by(one), "credit is kept back");
            let next = self.peers.iter().filter_map(|peer| peer.session.next_timeout()).min();
            let Some(next) = next else {
                if self.give_what_is_left() {
                    continue;
                }
                break;
            };
            self.ms = self.ms.max((next - self.start).as_millis() as u64 + 1);
            self.tick();
        }
        for peer in &self.peers {
            peer.assert_at_rest();
        }
    }

    /// Gives all credit back, which nobody waits for.
    fn give_what_is_left(&mut self) -> bool {
        self.peers.iter_mut().fold(false, |any, peer| {
            peer.session.give_all_credit();
            any | !peer.session.output().is_empty()
        })
    }

    /// The connection breaks: what is on the wire arrives in part.
    fn lose(&mut self) {
        for at in [0, 1] {
            if self.random.one_in(2) {
                self.deliver(at);
            }
        }
        self.look();
        for peer in &mut self.peers {
            peer.lose();
        }
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.ms)
    }

    fn tick(&mut self) {
        let now = self.now();
        for peer in &mut self.peers {
            if self.random.one_in(3) || peer.session.next_timeout().is_some_and(|at| at <= now) {
                assert_eq!(peer.session.timed_out(now), None);
                assert!(peer.session.next_timeout().is_none_or(|at| at > now));
            }
        }
        self.look();
    }

    /// Some of what a peer has to write goes on the wire, as long as that takes more.
    fn write(&mut self, at: usize) -> bool {
        if self.wires[at].len() > 100_000 {
            return false;
        }
        let peer = &mut self.peers[at];
        if peer.writing.is_empty() {
            std::mem::swap(peer.session.output(), &mut peer.writing);
        }
        let mut slices = [IoSlice::new(&[]); 3];
        let filled = peer.writing.slices(&mut slices);
        let all = slices[..filled].iter().map(|slice| &slice[..]).collect::<Vec<_>>().concat();
        let some = self.some_of(all.len());
        self.peers[at].writing.advance(some);
        self.wires[at].extend_from_slice(&all[..some]);
        some > 0
    }

    /// Some of what the other peer has sent arrives.
    fn deliver(&mut self, at: usize) -> bool {
        let now = self.now();
        let some = self.some_of(self.wires[1 - at].len());
        let rest = self.wires[1 - at].split_off(some);
        let bytes = std::mem::replace(&mut self.wires[1 - at], rest);
        self.peers[at].receive(&bytes, now);
        some > 0
    }

    /// At least one, if there is one.
    fn some_of(&mut self, all: usize) -> usize {
        let random = &mut self.random;
        if random.one_in(2) { all } else { all.min(1 + random.up_to(all)) }
    }

    /// Both take their events; nobody holds more than it may.
    fn look(&mut self) {
        let now = self.now();
        for at in [0, 1] {
            self.peers[at].look(now);
            let (one, other) = (&self.peers[at], &self.peers[1 - at]);
            one.check_flushes(other);
        }
    }
}

fn terms(random: &mut Random) -> Terms {
    let max_message = 20_000 + random.below(100_000);
    Terms {
        max_message,
        max_piece: 16_384 + random.below(20_000) as u32,
        calls: 1 + random.below(4) as u16,
        nested_calls: 1 + random.below(2) as u16,
        deepest: random.below(4) as u8,
        notify_window: 1 + random.below(60) as u32,
        body_window: max_message + random.below(100_000),
        ..Terms::default()
    }
}

#[test]
fn every_operation_ends_once_and_rightly_and_everything_is_given_back() {
    let seeds = seeds::of(10_000);
    let mut all = Seen::default();
    for seed in seeds.clone() {
        let seen = seeds::run(seed, || World::new(seed).run());
        all.replies += seen.replies;
        all.failures += seen.failures;
        all.late += seen.late;
        all.lost += seen.lost;
        all.refused += seen.refused;
        all.notices += seen.notices;
        all.flushes += seen.flushes;
        all.stops += seen.stops;
        all.nested += seen.nested;
    }
    if seeds.end - seeds.start > 100 {
        let Seen { replies, failures, late, lost, refused, notices, flushes, stops, nested } = all;
        for count in [replies, failures, late, lost, refused, notices, flushes, stops, nested] {
            assert!(count > 100, "not all was tried: {all:?}");
        }
    }
}
