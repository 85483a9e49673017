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
    /// Replies among the others, each in its frame.
    framed: Vec<(RequestKey, Range<usize>)>,
    /// Replies that are not.
    own: Vec<(RequestKey, Bytes)>,
    /// One-way messages that are over.
    pub(super) over: Receipts,
    /// The replies, one behind the other.
    pub(super) replies: RefCell<Vec<u8>>,
}

impl Answers {
    pub(super) fn are_none(&self) -> bool {
        self.framed.is_empty() && self.own.is_empty() && self.over.are_none()
    }

    /// Bytes of the replies.
    pub(super) fn len(&mut self) -> usize {
        self.replies.get_mut().len()
    }

    /// Makes room for the head of a reply, and says where it begins.
    pub(super) fn begin(&mut self) -> usize {
        let replies = self.replies.get_mut();
        let from = replies.len();
        replies.extend_from_slice(&[0; FRAME]);
        from
    }

    /// What was written from [there](Self::begin) on is the reply to this call, or it stands for itself.
    pub(super) fn end(&mut self, from: usize, key: RequestKey, reply: Encoded) {
        let (replies, body) = (self.replies.get_mut(), from + FRAME);
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

    /// What was written from there on is no reply.
    pub(super) fn forget(&mut self, from: usize) {
        self.replies.get_mut().truncate(from);
    }

    pub(super) fn tell(&mut self, session: &mut Session) {
        if self.are_none() {
            return;
        }
        let replies = self.replies.get_mut();
        session.reply_all(replies, self.framed.drain(..));
        for (key, body) in std::mem::take(&mut self.own) {
            session.reply(key, body.into());
        }
        session.notices_ended(std::mem::take(&mut self.over));
        replies.clear();
        replies.shrink_to(KEPT);
    }
}
