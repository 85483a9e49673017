//! Frames as most are: what comes of them is the same as in [`frames`](super::frames), in fewer steps.

use super::{Input, Whole};
use crate::buffer::Buffer;
use crate::codec::OwnedBody;
use crate::session::native::operations::{Claim, Stage};
use crate::session::native::requests::{Phase, Request};
use crate::session::native::{Admission, Outcome, RequestKey, SHORT_BODY, Session, Violation};
use crate::wire::native::{Plain, PlainKind};

impl Input {
    /// Deals with the frame in front if it is there, plain and short, and nothing stands against it;
    /// otherwise nothing has happened.
    #[inline]
    pub(super) fn plain(
        &mut self,
        session: &mut Session,
        admission: &mut impl Admission,
    ) -> Result<bool, Violation> {
        #[cfg(test)]
        if self.longhand {
            return Ok(false);
        }
        let unread = &self.read[self.at..];
        let Some(Plain { kind, head, body }) = Plain::parse(unread) else { return Ok(false) };
        let (len, from) = (body as usize, self.at + head);
        if len > SHORT_BODY || unread.len() - head < len {
            return Ok(false);
        }
        let body = from..from + len;
        match kind {
            PlainKind::Notice { mtype } => {
                if !session.takes_plainly(mtype, len, true, admission) {
                    return Ok(false);
                }
                session.flood.message();
                let receipt = session.charge_notice(len as u64)?;
                session.notices += 1;
                self.received.add_notice(receipt, mtype, Whole::here(&body));
            }
            PlainKind::Request { call, mtype, left } => {
                let takes = !self.assemblies.contains_key(&call)
                    && session.takes_plainly(mtype, len, false, admission);
                if !takes || !session.may_begin_plainly(call) {
                    return Ok(false);
                }
                let (key, deadline) = session.begin_plainly(call, left);
                self.received.add_request(key, mtype, deadline, Whole::here(&body));
            }
            PlainKind::Reply { call } => {
                let body = &self.read[body];
                if self.assemblies.contains_key(&call) || !session.answer_plainly(call, body) {
                    return Ok(false);
                }
            }
        }
        self.at = from + len;
        self.long = false;
        Ok(true)
    }
}

impl Session {
    /// Whether a short message of theirs is taken in, as far as its type and its length are concerned.
    #[inline]
    fn takes_plainly(
        &self,
        mtype: u32,
        len: usize,
        notify: bool,
        admission: &mut impl Admission,
    ) -> bool {
        let fits = |longest: u64| len as u64 <= longest.min(self.ours.max_message);
        !self.ours.passive && admission.max_len(mtype, notify).is_ok_and(fits)
    }

    /// Whether a call of theirs that serves none may begin.
    #[inline]
    fn may_begin_plainly(&self, id: u32) -> bool {
        let free = self.ids.is_theirs(id) && self.requests.by_id(id).is_none();
        free && !self.leaving && self.charge_call(0).is_ok()
    }

    /// A call of theirs begins and is handed over, with so many milliseconds left.
    #[inline]
    fn begin_plainly(&mut self, id: u32, left: u32) -> (RequestKey, std::time::Instant) {
        self.flood.request();
        let (theirs, cap) = (self.after_ms(left), self.cap);
        let deadline = theirs.min(cap);
        self.watch(Some(deadline));
        let key = self.requests.insert(Request {
            id,
            depth: 0,
            deadline,
            capped: cap < theirs,
            parent: None,
            lanes: 0,
            phase: Phase::InHand { stopped: false },
        });
        (key, deadline)
    }

    /// The reply to a call of ours is there, if somebody waits for it.
    #[inline]
    fn answer_plainly(&mut self, id: u32, body: &[u8]) -> bool {
        let taken = body.len() as u64 <= self.ours.max_message;
        let Some(ticket) = self.ids.call_of(id).filter(|_| taken) else { return false };
        let Some(operation) = self.operations.of(ticket) else { return false };
        let (Stage::Sent { .. }, Claim::Waiting) = (&operation.stage, &operation.claim) else {
            return false;
        };
        operation.stage = Stage::Over;
        operation.claim = Claim::There(Outcome::Reply(OwnedBody::from(Buffer::of(body))));
        self.permits[usize::from(operation.depth)] -= 1;
        self.woken.push_back(ticket);
        self.ids.free(id);
        self.start_queued();
        true
    }
}
