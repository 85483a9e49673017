//! What takes too long on a connection.

use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite};

use super::{Connection, InHand};
use crate::dispatch::capped_at;
use crate::limits;
use crate::service::CloseReason;
use crate::session::classic::Overdue;

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn deadline(&mut self) -> Option<Instant> {
        let reads = self.reads();
        let limits = self.service.limits();
        let handler =
            self.in_hand.as_ref().map(|in_hand| limits::end(in_hand.started, limits.handler_cap));
        let write = self.stalled.map(|since| limits::end(since, limits.write));
        let session = self.session.next_timeout().filter(|_| reads);
        [handler, write, session].into_iter().flatten().min()
    }

    pub(super) fn check_time(&mut self) {
        let (now, reads) = (Instant::now(), self.reads());
        let (cap, write) = (self.service.limits().handler_cap, self.service.limits().write);
        if self.stalled.is_some_and(|since| now >= limits::end(since, write)) {
            self.give_up_writing();
            self.close(CloseReason::SlowConsumer, None);
        }
        let over = |in_hand: &mut InHand| now >= limits::end(in_hand.started, cap);
        if let Some(late) = self.in_hand.take_if(over) {
            self.reply(late.mtype, late.bytes, late.started, &Err(capped_at(cap)));
        }
        let (reason, last_word) = match self.session.overdue(now).filter(|_| reads) {
            None => return,
            Some(Overdue::Handshake) => (CloseReason::HandshakeTimeout, "no frame in time"),
            Some(Overdue::Frame) => (CloseReason::FrameTimeout, "the frame took too long"),
            Some(Overdue::Progress) => (CloseReason::TooSlow, "the frame came too slowly"),
        };
        self.close(reason, Some(last_word));
    }
}
