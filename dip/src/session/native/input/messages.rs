//! The messages that came and are not dealt with.

use std::time::Instant;

use super::{NoticeHead, Receipt, Received, RequestHead, RequestKey, Whole};

/// A row of messages. Its places are used again: a message is written where it stays, not moved there,
/// which would wait until all of its fields have left the core's store buffer.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    /// Those behind `len` hold nothing that matters.
    places: Vec<Received>,
    len: usize,
}

impl Messages {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [Received] {
        &mut self.places[..self.len]
    }

    /// All of them were dealt with.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    #[cfg(test)]
    pub(crate) fn pop(&mut self) -> Option<Received> {
        self.len = self.len.checked_sub(1)?;
        Some(std::mem::replace(&mut self.places[self.len], NOTHING))
    }

    /// The place of one more.
    #[inline]
    pub(super) fn add(&mut self) -> &mut Received {
        if self.len == self.places.len() {
            self.grow();
        }
        self.len += 1;
        &mut self.places[self.len - 1]
    }

    /// Adds a one-way message without a trace.
    #[inline]
    pub(super) fn add_notice(&mut self, receipt: Receipt, mtype: u32, whole: Whole) {
        let new = NoticeHead { receipt, mtype, trace: None };
        match self.add() {
            Received::Notice { head, body } => (*head, *body) = (new, whole),
            place => *place = Received::Notice { head: new, body: whole },
        }
    }

    /// Adds a call that serves none, without a trace.
    #[inline]
    pub(super) fn add_request(
        &mut self,
        key: RequestKey,
        mtype: u32,
        deadline: Instant,
        whole: Whole,
    ) {
        let new = RequestHead { key, mtype, deadline, depth: 0, trace: None };
        match self.add() {
            Received::Request { head, body } => (*head, *body) = (new, whole),
            place => *place = Received::Request { head: new, body: whole },
        }
    }

    #[cold]
    fn grow(&mut self) {
        self.places.push(NOTHING);
    }
}

const NOTHING: Received = Received::Refused { mtype: 0, code: 0 };
