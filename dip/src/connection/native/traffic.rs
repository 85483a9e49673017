//! What goes in and out over the stream of a connection.

use std::io::IoSlice;
use std::pin::Pin;
use std::task::{self, Poll};
use std::time::Instant;

use tokio::io::AsyncWrite;

use super::Connection;
use super::requests::Batch;
use crate::reply::Code;
use crate::service::CloseReason;

/// Slices that are written at once.
pub(super) const SLICES: usize = 16;

impl Connection {
    /// Handles what is there, or else reads once and handles what came; whether there was anything.
    pub(super) fn poll_read(&mut self, cx: &mut task::Context<'_>) -> bool {
        if self.closing.is_some() {
            return false;
        }
        // To read behind what is not handled is to move it in the buffer first.
        if self.unhandled && self.handle(cx) {
            return true;
        }
        let mut read = false;
        if !self.exhausted {
            let filled = match self.spin.is_on() {
                true => self.stream.poll_fill_now(cx, || self.input.buffer()),
                false => self.stream.poll_fill(cx, || self.input.buffer()),
            };
            match filled {
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
        let handled = read && self.handle(cx);
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
            Ok(Batch { any, more }) => {
                self.unhandled = more;
                self.pace.looked(self.input.is_mid_frame(), any);
                any
            }
            Err(violation) => {
                let text = violation.text();
                tracing::warn!(
                    peer = self.serving.peer.id().0,
                    text,
                    "the peer broke the rules of the wire"
                );
                self.serving.link.command(|session| session.goaway(Code::Rejected.number(), text));
                self.close(CloseReason::Violation);
                true
            }
        }
    }

    /// Takes what there is to write; whether there is anything.
    pub(super) fn fill(&mut self) -> bool {
        self.serving.link.lock().take_output(&mut self.output);
        !self.output.is_empty()
    }

    /// Writes what was taken; whether the peer took all of it.
    pub(super) fn poll_write(&mut self, cx: &mut task::Context<'_>) -> bool {
        while !self.output.is_empty() {
            if self.unwritable.is_some() {
                self.output.advance(self.output.len());
                break;
            }
            let stream = Pin::new(&mut self.stream);
            let written = match self.output.in_one() {
                Some(bytes) => stream.poll_write(cx, bytes),
                None => {
                    let mut slices = [IoSlice::new(&[]); SLICES];
                    let count = self.output.slices(&mut slices);
                    stream.poll_write_vectored(cx, &slices[..count])
                }
            };
            match written {
                Poll::Ready(Ok(written)) if written > 0 => {
                    self.output.advance(written);
                    self.stalled = None;
                }
                // What the peer said before it left is still handled; nobody hears the answers.
                Poll::Ready(_) => self.unwritable = Some(Instant::now()),
                Poll::Pending => {
                    self.stalled.get_or_insert_with(Instant::now);
                    return false;
                }
            }
        }
        self.stalled = None;
        true
    }
}
