//! Runs user code: a panic in it becomes a rejection.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{self, Poll};

use super::{Code, Handling, Rejection, Written};

/// A handler's future; a panic in it is a rejection.
pub(crate) struct Guarded {
    handling: Option<Pin<Box<dyn Handling>>>,
    name: &'static str,
}

impl Guarded {
    pub(crate) fn new(handling: Pin<Box<dyn Handling>>, name: &'static str) -> Self {
        Self { handling: Some(handling), name }
    }

    /// Polls the handler, which appends its reply to `out`.
    #[inline]
    pub(crate) fn poll(&mut self, cx: &mut task::Context<'_>, out: &mut Vec<u8>) -> Poll<Written> {
        let Self { handling, name } = self;
        let Some(running) = handling else { return Poll::Ready(Err(panicked())) };
        let before = out.len();
        let polled = guarded(|| running.as_mut().poll(cx, out), name);
        let written = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(written)) => written,
            Err(rejection) => {
                out.truncate(before);
                Err(rejection)
            }
        };
        // A panic while the future is dropped does not take the reply back.
        let done = handling.take();
        _ = guarded(|| drop(done), name);
        Poll::Ready(written)
    }
}

/// Runs user code; a panic becomes a rejection that does not quote it.
pub(crate) fn guarded<T>(run: impl FnOnce() -> T, name: &'static str) -> Result<T, Rejection> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
        tracing::error!(handler = name, "a handler panicked");
        discard(payload);
        panicked()
    })
}

fn panicked() -> Rejection {
    Rejection::of(Code::Panicked, "RuntimeError", "the handler panicked")
}

/// Drops what a panic carried, which may panic itself.
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}
