//! Where the futures of handlers are polled that need not wait.

use std::any::{Any, TypeId};
use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Handling, Rejection, Started, Work, Written};
use crate::guard::guarded;

/// Kinds of handlers whose places a thread keeps.
const KEPT: usize = 8;

/// A future that is larger than this leaves no place behind, in bytes.
const LARGE: usize = 4 << 10;

thread_local! {
    static PLACES: Cell<Places> = const { Cell::new(Places(Vec::new())) };
}

/// Boxes of handlers that have ended, for the next ones of their kinds; the one that was used last is
/// in front.
#[derive(Default)]
pub(crate) struct Places(Vec<(TypeId, Box<dyn Any + Send>)>);

/// A box for a handler, and the handler while there is one.
type Place<H> = Pin<Box<Option<H>>>;

impl Places {
    /// Those of this thread, until they are [kept](Self::keep) again.
    pub(crate) fn of_thread() -> Self {
        PLACES.try_with(Cell::take).unwrap_or_default()
    }

    pub(crate) fn keep(self) {
        // A thread that ends keeps nothing.
        _ = PLACES.try_with(|places| places.set(self));
    }

    /// Polls a handler for the first time, which appends its reply to `out`.
    #[inline]
    pub(crate) fn poll<H: Handling + 'static>(
        &mut self,
        handling: H,
        name: &'static str,
        cx: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) -> Started {
        self.bring_to_front::<H>();
        let Some(place) = self.0.first_mut().and_then(|(_, place)| place.downcast_mut()) else {
            return Started::Waiting(Work::Future(Box::pin(handling)));
        };
        let place: &mut Place<H> = place;
        place.set(Some(handling));
        let (before, mut written) = (out.len(), None);
        let polled = guarded(
            || {
                if let Poll::Ready(ended) = place.as_mut().poll(cx, out) {
                    // A panic while the future is dropped does not take the reply back.
                    written = Some(ended);
                    place.set(None);
                }
            },
            name,
        );
        match (polled, written) {
            (Ok(()), Some(written)) => {
                if size_of::<H>() > LARGE {
                    self.0.swap_remove(0);
                }
                Started::Ended(written)
            }
            (Ok(()), None) => self.take::<H>(),
            (Err(panicked), written) => {
                let left = self.0.swap_remove(0);
                _ = guarded(|| drop(left), name);
                Started::Ended(written.unwrap_or_else(|| {
                    out.truncate(before);
                    Err(panicked)
                }))
            }
        }
    }

    /// The handler in front, which waits.
    #[cold]
    fn take<H: Handling + 'static>(&mut self) -> Started {
        match self.0.swap_remove(0).1.downcast::<Place<H>>() {
            Ok(place) => Started::Pending(*place),
            Err(_) => Started::Ended(Err(Rejection::withdrawn())),
        }
    }

    /// Has the place of this kind in front, empty.
    #[inline]
    fn bring_to_front<H: Handling + 'static>(&mut self) {
        let id = TypeId::of::<Place<H>>();
        match self.0.iter().position(|(kind, _)| *kind == id) {
            Some(0) => {}
            Some(at) => self.0.swap(0, at),
            None => {
                self.0.truncate(KEPT - 1);
                let place: Place<H> = Box::pin(None);
                self.0.insert(0, (id, Box::new(place)));
            }
        }
    }
}

impl<H: Handling> Handling for Option<H> {
    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<Written> {
        match self.as_pin_mut() {
            Some(handling) => handling.poll(cx, out),
            None => Poll::Ready(Err(Rejection::withdrawn())),
        }
    }
}
