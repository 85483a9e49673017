//! Runs user code: a panic in it becomes a rejection.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{self, Poll};

use crate::reply::{Code, Outcome, Rejection};

/// A handler's future; a panic in it, or in dropping it, is a rejection.
pub(crate) struct Guarded {
    future: Option<Pin<Box<dyn Future<Output = Outcome> + Send>>>,
    name: &'static str,
}

impl Guarded {
    pub(crate) fn new(
        future: Pin<Box<dyn Future<Output = Outcome> + Send>>,
        name: &'static str,
    ) -> Self {
        Self { future: Some(future), name }
    }
}

impl Future for Guarded {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Outcome> {
        let Self { future, name } = &mut *self;
        let Some(running) = future else { return Poll::Ready(Err(panicked())) };
        let polled = guarded(|| running.as_mut().poll(cx), name);
        let outcome = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(outcome)) => outcome,
            Err(rejection) => Err(rejection),
        };
        // A panic while the future is dropped does not take the reply back.
        let done = future.take();
        _ = guarded(|| drop(done), name);
        Poll::Ready(outcome)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let future = self.future.take();
        _ = guarded(|| drop(future), self.name);
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
