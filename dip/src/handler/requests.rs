//! Messages of one handler, one after the other.

use super::Request;
use crate::reply::{Rejection, Running, Started, guarded};

/// Where messages of one handler come from, and where it is said what became of each.
pub(crate) trait Source {
    /// The next one, once it was said what became of the one before.
    fn next(&mut self) -> Option<Request<'_>>;

    /// How far the handler of the last one is.
    fn started(&mut self, started: Result<Started, Rejection>);
}

/// Messages that one handler takes: many are handled in its own code, without a way back to their
/// connection between two of them.
#[doc(hidden)]
pub struct Requests<'a> {
    source: &'a mut dyn Source,
    /// That of the handler.
    name: &'static str,
}

impl<'a> Requests<'a> {
    pub(crate) fn new(source: &'a mut dyn Source, name: &'static str) -> Self {
        Self { source, name }
    }
}

impl Requests<'_> {
    /// Begins to handle each of them. A panic ends one message, not those behind it.
    #[inline]
    pub fn each(&mut self, handle: impl Fn(Request<'_>) -> Result<Running, Rejection>) {
        let Self { source, name } = self;
        while let Err(panicked) = guarded(
            || {
                while let Some(request) = source.next() {
                    let started = handle(request).map(|running| running.0);
                    source.started(started);
                }
            },
            name,
        ) {
            source.started(Err(panicked));
        }
    }
}

/// One message, and how far its handler is.
pub(crate) struct Single<'a> {
    request: Option<Request<'a>>,
    started: Option<Result<Started, Rejection>>,
}

impl<'a> Single<'a> {
    pub(crate) fn of(request: Request<'a>) -> Self {
        Self { request: Some(request), started: None }
    }

    /// How far its handler is, if it was begun.
    pub(crate) fn into_started(self) -> Option<Result<Started, Rejection>> {
        self.started
    }
}

impl Source for Single<'_> {
    fn next(&mut self) -> Option<Request<'_>> {
        self.request.take()
    }

    fn started(&mut self, started: Result<Started, Rejection>) {
        self.started = Some(started);
    }
}
