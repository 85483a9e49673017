//! What became of the messages that were handled where they were read. The session is told of many
//! at once.

use std::cell::RefCell;
use std::ops::Range;

use bytes::Bytes;

use crate::codec::Encoded;
use crate::session::native::{FRAME, Receipts, RequestKey, Session, frame_of};

/// What an empty buffer for replies keeps, in bytes.
const KEPT: usize = 64 << 10;

/// Answers that the session has not been told.
#[derive(Default)]
pub(super) struct Answers {
    pub(super) listed: Listed,
    /// The replies, one behind the other.
    pub(super) replies: RefCell<Vec<u8>>,
}

/// Which messages are answered, and how.
#[derive(Default)]
pub(super) struct Listed {
    /// Replies among the others, each in its frame.
    framed: Vec<(RequestKey, Range<usize>)>,
    /// Replies that are not.
    own: Vec<(RequestKey, Bytes)>,
    /// One-way messages that are over.
    pub(super) over: Receipts,
}

/// Makes room for the head of a reply behind others, and says where it begins.
#[inline]
pub(super) fn begin(replies: &mut Vec<u8>) -> usize {
    let from = replies.len();
    replies.extend_from_slice(&[0; FRAME]);
    from
}

impl Listed {
    /// What was written from [there](begin) on is the reply to this call, or it stands for itself.
    #[inline]
    pub(super) fn end(
        &mut self,
        replies: &mut Vec<u8>,
        from: usize,
        key: RequestKey,
        reply: Encoded,
    ) {
        let body = from + FRAME;
        let own = match reply {
            Encoded::Shared(reply) => *reply,
            Encoded::Copied => match frame_of(key, replies.len() - body) {
                Some(frame) => {
                    replies[from..body].copy_from_slice(&frame);
                    return self.framed.push((key, from..replies.len()));
                }
                None => Bytes::copy_from_slice(&replies[body..]),
            },
        };
        replies.truncate(from);
        self.own.push((key, own));
    }
}

impl Answers {
    pub(super) fn are_none(&self) -> bool {
        let Listed { framed, own, over } = &self.listed;
        framed.is_empty() && own.is_empty() && over.are_none()
    }

    /// Bytes of the replies.
    pub(super) fn len(&mut self) -> usize {
        self.replies.get_mut().len()
    }

    /// As [`begin`].
    pub(super) fn begin(&mut self) -> usize {
        begin(self.replies.get_mut())
    }

    /// As [`Listed::end`].
    pub(super) fn end(&mut self, from: usize, key: RequestKey, reply: Encoded) {
        self.listed.end(self.replies.get_mut(), from, key, reply);
    }

    /// What was written from there on is no reply.
    pub(super) fn forget(&mut self, from: usize) {
        self.replies.get_mut().truncate(from);
    }

    pub(super) fn tell(&mut self, session: &mut Session) {
        if self.are_none() {
            return;
        }
        let (replies, listed) = (self.replies.get_mut(), &mut self.listed);
        session.reply_all(replies, listed.framed.drain(..));
        for (key, body) in std::mem::take(&mut listed.own) {
            session.reply(key, body.into());
        }
        session.notices_ended(std::mem::take(&mut listed.over));
        replies.clear();
        replies.shrink_to(KEPT);
    }
}
