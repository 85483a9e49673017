//! What goes in and out over the stream of a connection.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{self, Poll};
use std::time::Instant;

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::task::coop;

use super::{Connection, Input, Known, MAX_OUTPUT};
use crate::connection::parting::{LINGER, hang_up};
use crate::service::CloseReason;
use crate::session::classic::{LATE, QUIET};

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn poll_write(&mut self, cx: &mut task::Context<'_>) -> Poll<()> {
        let output = self.session.output();
        if output.is_empty() {
            return Poll::Pending;
        }
        if self.unwritable {
            output.clear();
            return Poll::Ready(());
        }
        match Pin::new(&mut self.stream).poll_write(cx, output) {
            Poll::Ready(Ok(written)) if written > 0 => {
                output.advance(written);
                self.stalled = None;
                Poll::Ready(())
            }
            // What was received before is still handled.
            Poll::Ready(_) => {
                self.give_up_writing();
                Poll::Ready(())
            }
            Poll::Pending => {
                self.stalled.get_or_insert_with(Instant::now);
                Poll::Pending
            }
        }
    }

    pub(super) fn give_up_writing(&mut self) {
        self.unwritable = true;
        self.stalled = None;
    }

    /// Whether the stream is read. While a message is in hand it is, also when the server stops: its
    /// reply may turn out to be late.
    pub(super) fn reads(&mut self) -> bool {
        self.input == Input::Open
            && (!self.draining || self.in_hand.is_some())
            && self.session.output().len() < MAX_OUTPUT
    }

    /// Reads what there is: not only what is handled next, so that the time at which it came is known.
    pub(super) fn poll_read(&mut self, cx: &mut task::Context<'_>) -> Poll<()> {
        let mut progress = Poll::Pending;
        while self.reads() && self.session.wants_input() {
            if self.unwatched.take().is_some_and(|since| since.elapsed() > LATE) {
                self.session.lost_sight();
            }
            match pin!(self.stream.read_buf(self.session.input())).poll(cx) {
                Poll::Pending => {
                    // Without budget nobody has looked.
                    if coop::has_budget_remaining() {
                        self.session.drained();
                    }
                    return progress;
                }
                Poll::Ready(Ok(0)) => self.input = Input::Ended,
                Poll::Ready(Err(_)) => self.input = Input::Broken,
                Poll::Ready(Ok(read)) => self.received(read),
            }
            progress = Poll::Ready(());
        }
        progress
    }

    pub(super) fn received(&mut self, bytes: usize) {
        self.session.received(bytes, Instant::now(), &Known(&self.service));
        let in_hand = self.in_hand.as_ref().map_or(0, |in_hand| in_hand.bytes);
        if !self.memory.hold(self.session.buffered(in_hand)) {
            let last_word = "the server holds as many bytes as it may";
            self.close(CloseReason::OutOfMemory, Some(last_word));
        }
    }

    /// Finds out whether the sender of the message in hand has sent another one, as far as the reader
    /// of the stream was kept from seeing it.
    pub(super) async fn look_before_reply(&mut self) {
        if self.in_hand.as_ref().is_some_and(|in_hand| in_hand.started.elapsed() > LATE) {
            // The handler may have kept this thread busy. The runtime learns what has arrived when
            // the task lets go of it.
            tokio::task::yield_now().await;
            poll_fn(|cx| Poll::Ready(_ = self.poll_read(cx))).await;
        }
        if !self.session.is_in_doubt() {
            return;
        }
        let look = async {
            while self.session.is_in_doubt() && self.input == Input::Open {
                poll_fn(|cx| self.poll_read(cx)).await;
            }
        };
        _ = tokio::time::timeout(QUIET, look).await;
    }

    /// Closes in a way that lets the last reply arrive.
    pub(super) async fn linger(&mut self, reason: CloseReason) {
        let unread = !matches!(reason, CloseReason::PeerClosed | CloseReason::Lost);
        if self.unwritable || !unread {
            return;
        }
        _ = tokio::time::timeout(LINGER, hang_up(&mut self.stream)).await;
    }
}
