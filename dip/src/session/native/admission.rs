//! Whether a message of theirs is taken in: decided on its first frame.

use std::time::{Duration, Instant};

use super::operations::Stage;
use super::requests::{Phase, Request};
use super::{RequestKey, SHORT_BODY, Session, Ticket, Violation};
use crate::limits;
use crate::wire::native::{Failure, Header, Kind, Metadata, code};

/// What a session asks before it takes a message in: look-ups, no code of users.
pub(crate) trait Admission {
    /// The longest body of this type in bytes, or why none is taken.
    fn max_len(&mut self, mtype: u32, notify: bool) -> Result<u64, Box<Refusal>>;

    /// Holds memory for a body over 16 KiB; `false` if there is not so much.
    fn reserve(&mut self, bytes: u64) -> bool;

    /// Gives back what was held for a body that is not handed over.
    fn release(&mut self, bytes: u64);
}

/// Why a message of theirs is not taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: u16,
    pub(crate) text: String,
}

impl Refusal {
    /// In a box: most messages are taken in.
    #[cold]
    pub(crate) fn of(code: u16, text: impl Into<String>) -> Box<Self> {
        Box::new(Self { code, text: text.into() })
    }
}

/// What the first frame of a message of theirs says.
#[derive(Clone, Copy, Debug)]
pub(super) struct First<'a> {
    pub(super) header: Header,
    pub(super) metadata: &'a Metadata,
    /// Bytes of the whole body.
    pub(super) len: u64,
}

/// What was found out about a call of theirs before its body is read.
#[derive(Debug)]
pub(super) enum Verdict {
    /// With so many bytes of memory for its body.
    Taken(Admitted, u64),
    Refused {
        code: u16,
    },
}

/// A call of theirs that is in the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admitted {
    pub(super) key: RequestKey,
    pub(super) deadline: Instant,
    pub(super) depth: u16,
}

impl Session {
    /// The first frame of a call came, with the whole body or with a part of it.
    pub(super) fn begin_request(
        &mut self,
        first: First<'_>,
        admission: &mut impl Admission,
    ) -> Result<Verdict, Violation> {
        let Header { call: id, more, .. } = first.header;
        if self.ours.passive {
            return Err(Violation::OutOfPlace("a call to a side that takes none"));
        }
        if !self.ids.is_theirs(id) || self.requests.by_id(id).is_some() {
            return Err(Violation::OutOfPlace("a call under an id that is taken, or of this side"));
        }
        self.flood.request();
        let parent = first.metadata.parent.map(|id| self.parent(id)).transpose()?;
        let too_deep = u16::from(self.ours.deepest) + 1;
        let depth = parent.map_or(0, |(_, depth)| depth).min(too_deep);
        self.charge_call(depth)?;
        let verdict = match self.refuse_request(depth) {
            Some(refusal) => Err(refusal),
            None => self.admit(&first, false, admission),
        };
        let cap = self.cap;
        let theirs = first.metadata.deadline.map(|left| self.after_ms(left));
        let deadline = theirs.map_or(cap, |theirs| theirs.min(cap));
        let capped = theirs.is_none_or(|theirs| cap < theirs);
        let parent = parent.map(|(ticket, _)| ticket);
        let request = |phase| Request { id, depth, deadline, capped, parent, lanes: 0, phase };
        match verdict {
            Ok(reserved) => {
                self.watch(Some(deadline));
                let arrives = more || first.len > SHORT_BODY as u64;
                let phase =
                    if arrives { Phase::Arriving } else { Phase::InHand { stopped: false } };
                let key = self.requests.insert(request(phase));
                Ok(Verdict::Taken(Admitted { key, deadline, depth }, reserved))
            }
            Err(refusal) => {
                let Refusal { code, text } = *refusal;
                self.write_refusal(id, depth, code, &text);
                if more {
                    self.requests.insert(request(Phase::Refused));
                }
                Ok(Verdict::Refused { code })
            }
        }
    }

    /// Whether a message whose first frame came is taken in, with memory for its body.
    #[inline]
    pub(super) fn admit(
        &mut self,
        first: &First<'_>,
        notify: bool,
        admission: &mut impl Admission,
    ) -> Result<u64, Box<Refusal>> {
        let refuse = |code, text: String| Err(Refusal::of(code, text));
        let Metadata { unsupported, message_id, .. } = first.metadata;
        if let Some(tag) = unsupported {
            return refuse(code::UNSUPPORTED, format!("metadata {tag:#04x} is not known here"));
        }
        if message_id.is_some() {
            return refuse(code::UNSUPPORTED, "messages are not deduplicated here".to_owned());
        }
        let limit = admission.max_len(first.header.mtype, notify)?.min(self.ours.max_message);
        let size = first.len;
        if size > limit {
            let text = format!("the message has {size} bytes, the limit here is {limit}");
            return refuse(code::TOO_LARGE, text);
        }
        if size <= SHORT_BODY as u64 {
            return Ok(0);
        }
        if admission.reserve(size) {
            Ok(size)
        } else {
            refuse(code::OVERLOADED, format!("there is no memory for {size} bytes"))
        }
    }

    /// The call of ours with this id, and the depth of calls that serve it.
    pub(super) fn parent(&self, id: u32) -> Result<(Ticket, u16), Violation> {
        let none = Violation::OutOfPlace("a call that serves none");
        let ticket = self.ids.call_of(id).ok_or(none)?;
        let operation = self.operations.peek(ticket).ok_or(none)?;
        match operation.stage {
            Stage::Sent { .. } => Ok((ticket, operation.depth.saturating_add(1))),
            _ => Err(none),
        }
    }

    /// Checks that the peer has a permit for one more call at this depth.
    #[inline]
    pub(super) fn charge_call(&self, depth: u16) -> Result<(), Violation> {
        let live = self.requests.live[usize::from(depth)];
        let permits = self.requests.permits(depth);
        let refused = self.requests.refused;
        let all = self.requests.permits(0) + self.requests.live.len() * self.requests.permits(1);
        match permits.checked_sub(live) {
            Some(left) if self.output.terminals_below(depth, left) && refused <= all => Ok(()),
            _ => Err(Violation::TooMany("more calls at once than there are permits")),
        }
    }

    #[inline]
    pub(super) fn refuse_request(&self, depth: u16) -> Option<Box<Refusal>> {
        let refusal = |code, text: &str| Some(Refusal::of(code, text));
        let deepest = u16::from(self.ours.deepest);
        if self.leaving {
            return refusal(code::SHUTTING_DOWN, "no more calls are taken");
        }
        if depth > deepest {
            return refusal(code::TOO_DEEP, &format!("calls are nested {deepest} deep at most"));
        }
        None
    }

    pub(super) fn write_refusal(&mut self, id: u32, depth: u16, code: u16, text: &str) {
        let mut body = Vec::new();
        Failure { code, handled: 0, text, detail: &[] }.encode(&mut body);
        self.output.plain(Header::new(Kind::Error, id), &body);
        self.output.mark_terminal(depth);
    }

    pub(super) fn after_ms(&self, ms: u32) -> Instant {
        limits::end(self.now, Duration::from_millis(ms.into()))
    }
}
