//! A body of theirs that is not complete.

use std::time::Instant;

use bytes::{BufMut, Bytes, buf::Limit};

use super::{NoticeHead, RequestHead};
use crate::session::native::admission::First;
use crate::session::native::{Receipt, RequestKey, Violation};
use crate::wire::native::{Header, Kind};

/// The first step in which a buffer grows, in bytes: a piece as long as most peers send them.
const STEP: usize = 256 << 10;

/// How many times as large a buffer is after each further step. All of the body is charged already; a
/// peer that has sent less of it has no more than this made of it.
const GROWTH: usize = 4;

/// What is read behind a frame together with its last bytes, in bytes: the head of the next one. When
/// fewer come, there are no more for now.
pub(super) const BEHIND: usize = 64;

#[derive(Debug)]
pub(super) struct Assembly {
    pub(super) purpose: Purpose,
    /// Bytes that were reserved for it.
    pub(super) reserved: u64,
    pub(super) since: Instant,
    kind: Option<Kind>,
    total: u64,
    /// Bytes that are there when the frame under way is.
    expected: u64,
    more: bool,
    body: Vec<u8>,
}

/// What becomes of the body when its last piece is there.
#[derive(Debug)]
pub(super) enum Purpose {
    Request(RequestHead),
    Notice(NoticeHead),
    Answer(Kind),
    RefusedRequest(RequestKey),
    RefusedNotice(Receipt),
    UnwantedAnswer,
}

impl Purpose {
    /// Whether the pieces are thrown away.
    pub(super) fn is_skipped(&self) -> bool {
        matches!(self, Self::RefusedRequest(_) | Self::RefusedNotice(_) | Self::UnwantedAnswer)
    }
}

impl Assembly {
    pub(super) fn new(purpose: Purpose, first: First<'_>, reserved: u64, since: Instant) -> Self {
        Self {
            purpose,
            reserved,
            since,
            kind: first.header.kind,
            total: first.len,
            expected: first.header.body.into(),
            more: first.header.more,
            body: Vec::new(),
        }
    }

    /// Checks that a frame with the id of this body continues it.
    pub(super) fn check(&self, header: &Header) -> Result<(), Violation> {
        let bare = header.metadata == 0 && header.mtype == 0;
        if header.kind == self.kind && bare {
            Ok(())
        } else {
            Err(Violation::OutOfPlace("a frame amid the pieces of a body under the same id"))
        }
    }

    /// The next piece comes.
    pub(super) fn expect(&mut self, header: &Header) -> Result<(), Violation> {
        self.expected += u64::from(header.body);
        self.more = header.more;
        let fits =
            if header.more { self.expected < self.total } else { self.expected == self.total };
        if fits && header.body > 0 {
            Ok(())
        } else {
            Err(Violation::Malformed("pieces that are not the total together"))
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn expected(&self) -> usize {
        usize::try_from(self.expected).unwrap_or(usize::MAX)
    }

    pub(super) fn more(&self) -> bool {
        self.more
    }

    pub(super) fn len(&self) -> usize {
        self.body.len()
    }

    pub(super) fn capacity(&self) -> usize {
        self.body.capacity()
    }

    /// Makes room for bytes up to `until`, though not for much more than there are. Says by how much
    /// it has grown.
    pub(super) fn grow(&mut self, until: usize) -> usize {
        let before = self.body.capacity();
        if before - self.body.len() <= BEHIND {
            let total = usize::try_from(self.total).unwrap_or(usize::MAX).max(until);
            let step = (self.body.len() * (GROWTH - 1)).max(STEP + BEHIND);
            self.body.reserve_exact(step.min(total - self.body.len() + BEHIND));
        }
        self.body.capacity() - before
    }

    /// Where bytes up to `until` go and a few [behind](Self::take_behind), as many as there is room for.
    pub(super) fn buffer(&mut self, until: usize) -> Limit<&mut Vec<u8>> {
        let room = self.body.capacity().min(until.saturating_add(BEHIND)) - self.body.len();
        (&mut self.body).limit(room)
    }

    /// Takes out what was read behind `until`.
    pub(super) fn take_behind(&mut self, until: usize, into: &mut Vec<u8>) {
        if until < self.body.len() {
            into.extend_from_slice(&self.body[until..]);
            self.body.truncate(until);
        }
    }

    /// Takes bytes up to `until` from the read buffer. Says by how much it has grown.
    pub(super) fn fill(&mut self, unread: &[u8], until: usize, at: &mut usize) -> usize {
        let mut grown = 0;
        let mut unread = &unread[..unread.len().min(until - self.body.len())];
        *at += unread.len();
        while !unread.is_empty() {
            grown += self.grow(until);
            let (now, rest) = unread.split_at(unread.len().min(self.capacity() - self.len()));
            self.body.extend_from_slice(now);
            unread = rest;
        }
        grown
    }

    pub(super) fn take_body(&mut self) -> Bytes {
        std::mem::take(&mut self.body).into()
    }

    /// Forgets what is there; the rest is skipped. Says how much memory that frees.
    pub(super) fn drop_body(&mut self) -> usize {
        std::mem::take(&mut self.body).capacity()
    }
}
