//! Turns in lanes: which handlers wait for which.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use tokio::sync::OwnedMutexGuard;
use tokio::task::coop::unconstrained;

use crate::service::Lane;

/// A turn in a lane. Its place is taken when it is made: tasks do not begin in the order in which they
/// are spawned.
pub(super) enum Turn {
    Waiting(Pin<Box<dyn Future<Output = OwnedMutexGuard<()>> + Send>>),
    /// Without a guard there is no lane to wait in.
    Come(Option<OwnedMutexGuard<()>>),
}

impl Turn {
    pub(super) fn of(lane: Option<Lane>) -> Self {
        let Some(lane) = lane else { return Self::Come(None) };
        let mut lock = Box::pin(lane.lock_owned());
        // Who waits for the turn polls again, with a waker of its own. A task that has used up its time
        // would be told to come again, and get no place.
        let mut cx = Context::from_waker(Waker::noop());
        match pin!(unconstrained(lock.as_mut())).poll(&mut cx) {
            Poll::Ready(guard) => Self::Come(Some(guard)),
            Poll::Pending => Self::Waiting(lock),
        }
    }

    /// The guard, once; it is kept as long as the turn takes.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<OwnedMutexGuard<()>>> {
        if let Self::Waiting(lock) = self {
            *self = Self::Come(Some(ready!(lock.as_mut().poll(cx))));
        }
        match self {
            Self::Come(guard) => Poll::Ready(guard.take()),
            Self::Waiting(_) => Poll::Pending,
        }
    }
}
