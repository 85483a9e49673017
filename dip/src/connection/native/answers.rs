//! What became of the messages that were handled where they were read. The session is told of many
//! at once.

use std::cell::RefCell;
use std::ops::Range;

use bytes::Bytes;

use crate::codec::Body;
use crate::session::native::{Receipts, RequestKey, Session};

/// What an empty buffer for replies keeps, in bytes.
const KEPT: usize = 64 << 10;

/// Answers that the session has not been told.
#[derive(Default)]
pub(super) struct Answers {
    answers: Vec<Answer>,
    /// One-way messages that are over.
    pub(super) over: Receipts,
    /// The replies, one behind the other.
    pub(super) replies: RefCell<Vec<u8>>,
}

/// What became of a call.
pub(super) enum Answer {
    /// Its reply is among the others.
    Here(RequestKey, Range<usize>),
    Own(RequestKey, Bytes),
}

impl Answers {
    pub(super) fn is_empty(&self) -> bool {
        self.answers.is_empty() && self.over.are_none()
    }

    pub(super) fn push(&mut self, answer: Answer) {
        self.answers.push(answer);
    }

    pub(super) fn tell(&mut self, session: &mut Session) {
        let replies = self.replies.get_mut();
        for answer in self.answers.drain(..) {
            match answer {
                Answer::Here(key, reply) => session.reply(key, Body::from(&replies[reply])),
                Answer::Own(key, body) => session.reply(key, body.into()),
            }
        }
        session.notices_ended(std::mem::take(&mut self.over));
        replies.clear();
        replies.shrink_to(KEPT);
    }
}
