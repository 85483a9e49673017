//! What becomes of their calls: answered, cancelled, overdue.

use std::ops::Range;

use super::bodies::{Outbound, Owner};
use super::requests::{Phase, Request};
use super::{Event, LONG_OUTPUT, RequestKey, SHORT_BODY, Session, Violation, Why};
use crate::codec::Body;
use crate::wire::native::{Failure, HEADER, Header, Kind, code};

/// What stands before a reply that is framed, in bytes.
pub(crate) const FRAME: usize = HEADER;

/// What stands before a short reply to this call, if it is one.
pub(crate) fn frame_of(key: RequestKey, len: usize) -> Option<[u8; FRAME]> {
    let body = u32::try_from(len).ok().filter(|_| len <= SHORT_BODY)?;
    Some(Header { body, ..Header::new(Kind::Reply, key.id()) }.encode())
}

impl Session {
    /// Answers calls of theirs with replies that stand [framed](frame_of) one behind the other. As many as
    /// can go out like that do so at once.
    pub(crate) fn reply_all(
        &mut self,
        framed: &[u8],
        replies: impl Iterator<Item = (RequestKey, Range<usize>)>,
    ) {
        let mut from = 0;
        for (key, frame) in replies {
            let behind = frame.start - from;
            let fits = (frame.len() - FRAME) as u64 <= self.longest()
                && self.output.len() + behind < LONG_OUTPUT
                && !self.lost;
            if fits && let Some(depth) = self.requests.remove_in_hand(key) {
                self.output.mark_terminal_behind(behind + frame.len(), depth);
                continue;
            }
            self.output.framed(&framed[from..frame.start]);
            from = frame.end;
            self.reply(key, Body::from(&framed[frame.start + FRAME..frame.end]));
        }
        self.output.framed(&framed[from..]);
    }

    /// Answers a call of theirs. Ignored if it is not in hand.
    #[inline]
    pub(crate) fn reply(&mut self, key: RequestKey, body: Body<'_>) {
        let (size, limit) = (body.len() as u64, self.longest());
        if size > limit {
            let text = format!("the reply has {size} bytes, the limit of the caller is {limit}");
            let failure =
                Failure { code: code::REPLY_TOO_LARGE, handled: 2, text: &text, detail: &[] };
            return self.fail(key, failure);
        }
        self.answer(key, Kind::Reply, body);
    }

    /// Answers a call of theirs with an error. Ignored if it is not in hand.
    pub(crate) fn fail(&mut self, key: RequestKey, failure: Failure<'_>) {
        let mut body = Vec::new();
        failure.encode(&mut body);
        let (size, limit) = (body.len() as u64, self.longest());
        if size > limit {
            body.clear();
            let text = format!("the error has {size} bytes, the limit of the caller is {limit}");
            let code = code::REPLY_TOO_LARGE;
            Failure { code, text: &text, detail: &[], ..failure }.encode(&mut body);
        }
        self.answer(key, Kind::Error, Body::from(bytes::Bytes::from(body)));
    }

    /// Whether this call is in hand and not answered.
    pub(crate) fn is_live(&self, key: RequestKey) -> bool {
        self.requests.of(key).is_some_and(|request| matches!(request.phase, Phase::InHand { .. }))
    }

    /// The handler of this call takes a lane, one of 8.
    pub(crate) fn hold_lane(&mut self, key: RequestKey, lane: u8) {
        if let Some(request) = self.requests.of_mut(key) {
            request.lanes |= bit(lane);
        }
    }

    /// Whether a call of theirs that this one serves, directly or through others, holds the lane:
    /// it would wait for itself.
    pub(crate) fn ancestor_holds(&self, key: RequestKey, lane: u8) -> bool {
        let parent = |key| {
            let ours = self.requests.of(key)?.parent?;
            self.operations.peek(ours)?.parent
        };
        let ancestors = std::iter::successors(parent(key), |key| parent(*key));
        ancestors
            .filter_map(|key| self.requests.of(key))
            .any(|request| request.lanes & bit(lane) != 0)
    }

    /// All pieces of a call came. `false` if it was given up meanwhile.
    pub(super) fn hand_over(&mut self, key: RequestKey) -> bool {
        match self.requests.of_mut(key) {
            Some(request) if request.phase == Phase::Arriving => {
                request.phase = Phase::InHand { stopped: false };
                true
            }
            _ => {
                self.no_more_pieces(key);
                false
            }
        }
    }

    /// Whether the pieces of this call are still wanted.
    pub(super) fn wants(&self, key: RequestKey) -> bool {
        self.requests.of(key).is_some_and(|request| request.phase == Phase::Arriving)
    }

    /// The last piece of a refused call came.
    pub(super) fn no_more_pieces(&mut self, key: RequestKey) {
        if self.requests.of(key).is_some_and(|request| request.phase == Phase::Refused) {
            self.requests.remove(key);
        }
    }

    /// A CANCEL came.
    pub(super) fn cancelled(&mut self, id: u32) -> Result<(), Violation> {
        if !self.ids.is_theirs(id) {
            return Err(Violation::OutOfPlace("a cancel of no call of the peer"));
        }
        self.flood.cancel(self.now)?;
        let Some(key) = self.requests.by_id(id) else { return Ok(()) };
        let Some(request) = self.requests.of_mut(key) else { return Ok(()) };
        match &mut request.phase {
            Phase::Arriving => {
                let depth = request.depth;
                self.requests.remove(key);
                self.write_refusal(id, depth, code::CANCELLED, "cancelled before it was there");
            }
            Phase::InHand { stopped } => {
                if !std::mem::replace(stopped, true) {
                    self.events.push_back(Event::Stop(key, Why::Cancelled));
                }
            }
            Phase::Answering => {}
            Phase::Refused => self.no_more_pieces(key),
        }
        Ok(())
    }

    /// Stops what has taken too long.
    pub(super) fn stop_overdue(&mut self) {
        let mut overdue = Vec::new();
        let mut next = None;
        for (key, request) in self.requests.keys() {
            if !matches!(request.phase, Phase::Arriving | Phase::InHand { stopped: false }) {
                continue;
            }
            if request.deadline <= self.now {
                overdue.push(key);
            } else {
                next = next.into_iter().chain([request.deadline]).min();
            }
        }
        self.watch(next);
        for key in overdue {
            let Some(request) = self.requests.of_mut(key) else { continue };
            if let Phase::InHand { stopped } = &mut request.phase {
                *stopped = true;
                let why = if request.capped { Why::Cap } else { Why::Deadline };
                self.events.push_back(Event::Stop(key, why));
            } else {
                let Request { id, depth, .. } = *request;
                self.requests.refuse(key);
                self.write_refusal(id, depth, code::DEADLINE, "its deadline came before its body");
            }
        }
    }

    /// The connection ended: handlers are stopped, what is not in hand is forgotten.
    pub(super) fn lose_requests(&mut self) {
        let all: Vec<_> = self.requests.keys().map(|(key, request)| (key, request.phase)).collect();
        for (key, phase) in all {
            match phase {
                Phase::InHand { .. } => self.events.push_back(Event::Stop(key, Why::Lost)),
                _ => _ = self.requests.remove(key),
            }
        }
    }

    /// The terminal frame of a call is in the output.
    #[inline]
    pub(super) fn answered(&mut self, key: RequestKey) {
        if let Some(depth) = self.requests.remove(key) {
            self.output.mark_terminal(depth);
        }
    }

    #[inline]
    fn answer(&mut self, key: RequestKey, kind: Kind, body: Body<'_>) {
        let Some(&Request { id, phase: Phase::InHand { .. }, .. }) = self.requests.of(key) else {
            return;
        };
        if self.lost {
            self.requests.remove(key);
            return;
        }
        if body.len() <= SHORT_BODY && self.output.len() < LONG_OUTPUT {
            self.output.plain(Header::new(kind, id), &body);
            return self.answered(key);
        }
        if let Some(request) = self.requests.of_mut(key) {
            request.phase = Phase::Answering;
            request.lanes = 0;
        }
        let (owner, body) = (Owner::Request(key), body.into_bytes());
        self.bodies.push(Outbound { owner, kind, id, mtype: 0, trace: None, body, written: 0 });
    }
}

fn bit(lane: u8) -> u8 {
    1_u8.checked_shl(lane.into()).unwrap_or(0)
}
