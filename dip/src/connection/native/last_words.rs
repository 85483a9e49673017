//! The end of a connection: what was put in still leaves, and all who wait learn it.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::task::Poll;
use std::time::Instant;

use super::Connection;
use super::admission::Admitting;
use super::traffic::SLICES;
use crate::connection::parting::{LINGER, hang_up};
use crate::reply::Code;
use crate::service::CloseReason;

impl Connection {
    /// Says goodbye, and closes in a way that lets it arrive.
    pub(super) async fn finish(&mut self, reason: CloseReason) {
        if reason.is_of_writing() || self.unwritable.is_some() {
            return;
        }
        // What has begun may have had its effect: that is said before the last word.
        self.stop_all();
        self.serving.link.command(|session| {
            // The last word would deny what is not answered.
            let denies = session.has_answered();
            session.goaway(if denies { 0 } else { Code::ShuttingDown.number() }, "");
        });
        let drain = async {
            poll_fn(|cx| {
                while self.fill() && self.unwritable.is_none() {
                    if !self.poll_write(cx) {
                        return Poll::Pending;
                    }
                }
                Poll::Ready(())
            })
            .await;
            hang_up(&mut self.stream).await
        };
        _ = tokio::time::timeout(LINGER, drain).await;
    }

    /// Writes without the runtime what it has not got to.
    fn write_now(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + LINGER;
        loop {
            if !self.fill() {
                return self.stream.settle_now(deadline);
            }
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = self.output.slices(&mut slices);
            let written = self.stream.write_now(&slices[..count], deadline)?;
            self.output.advance(written);
        }
    }
}

/// A runtime that shuts down drops its tasks: a program that notifies and leaves `main` would lose
/// what it sent last.
impl Drop for Connection {
    fn drop(&mut self) {
        if self.serving.link.is_in_a_child() {
            return;
        }
        let broken =
            self.unwritable.is_some() || self.closing.is_some_and(CloseReason::is_of_writing);
        if !self.finished && !broken {
            // A peer that is gone has nothing to lose.
            _ = self.write_now();
        }
        let Self { serving, account, input, known, .. } = &mut *self;
        input.end(&mut Admitting { serving, account, known });
        self.serving.link.retire();
        self.serving.link.lock().ended(&mut self.woken);
        self.follow_events();
    }
}
