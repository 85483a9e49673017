//! What goes in and out over the stream of a connection.

use std::io::IoSlice;
use std::pin::{Pin, pin};
use std::task::{self, Poll};
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWrite};

use super::Connection;
use crate::reply::Code;
use crate::service::CloseReason;

/// Slices that are written at once.
pub(super) const SLICES: usize = 64;

impl Connection {
    /// Reads once and handles what came; whether there was anything.
    pub(super) fn poll_read(&mut self, cx: &mut task::Context<'_>) -> bool {
        if self.closing.is_some() {
            return false;
        }
        let mut read = false;
        if !self.exhausted {
            match pin!(self.stream.read_buf(&mut self.input.buffer())).poll(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(bytes)) if bytes > 0 => {
                    self.pace.received(bytes);
                    self.heard = true;
                    read = true;
                }
                // A connection that the peer has reset has ended, too.
                Poll::Ready(_) => self.exhausted = true,
            }
        }
        let handled = self.handle(cx);
        // What came whole before the end is handled first.
        if !handled && self.exhausted {
            let goodbye = self.serving.link.lock().session.has_said_goodbye();
            let whole = goodbye && !self.input.is_mid_frame();
            self.close(if whole { CloseReason::PeerClosed } else { CloseReason::Lost });
        }
        handled || read
    }

    fn handle(&mut self, cx: &mut task::Context<'_>) -> bool {
        match self.handle_input(cx) {
            Ok(busy) => {
                self.pace.looked(self.input.is_mid_frame(), busy);
                busy
            }
            Err(violation) => {
                let text = violation.text();
                tracing::warn!(
                    peer = self.serving.peer.id().0,
                    text,
                    "the peer broke the rules of the wire"
                );
                self.serving
                    .link
                    .command(|session, _| session.goaway(Code::Rejected.number(), text));
                self.close(CloseReason::Violation);
                true
            }
        }
    }

    /// Writes what there is; whether the peer took anything.
    pub(super) fn poll_write(&mut self, cx: &mut task::Context<'_>) -> bool {
        let mut progress = false;
        loop {
            if self.output.is_empty() {
                std::mem::swap(self.serving.link.lock().session.output(), &mut self.output);
                if self.output.is_empty() {
                    self.stalled = None;
                    return progress;
                }
            }
            if self.unwritable.is_some() {
                self.output.advance(self.output.len());
                progress = true;
                continue;
            }
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = self.output.slices(&mut slices);
            match Pin::new(&mut self.stream).poll_write_vectored(cx, &slices[..count]) {
                Poll::Ready(Ok(written)) if written > 0 => {
                    self.output.advance(written);
                    self.stalled = None;
                    progress = true;
                }
                // What the peer said before it left is still handled; nobody hears the answers.
                Poll::Ready(_) => self.unwritable = Some(Instant::now()),
                Poll::Pending => {
                    self.stalled.get_or_insert_with(Instant::now);
                    return progress;
                }
            }
        }
    }
}
