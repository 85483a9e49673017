//! Handlers that need not wait run where their message was read.

use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::{Handling, Rejection, Started, Work, Written, guarded};

/// Kinds of handlers whose places a thread keeps.
const KEPT: usize = 8;

/// A future that is larger than this leaves no place behind, in bytes.
const LARGE: usize = 4 << 10;

thread_local! {
    static PLACES: Cell<Places> = const { Cell::new(Places(Vec::new())) };
}

/// Where a handler may run at once that need not wait for anything before.
pub(crate) struct Here<'a> {
    pub(crate) waker: &'a Waker,
    pub(crate) places: &'a RefCell<Places>,
    /// Its reply goes behind others.
    pub(crate) replies: &'a RefCell<Vec<u8>>,
}

impl Here<'_> {
    /// Runs a handler to its end, if it need not wait. `poll` is what polls it for the first time: its
    /// own [`Handling::poll`], or what comes to the same.
    #[inline]
    pub(super) fn run<H: Handling + 'static>(
        &self,
        handling: H,
        name: &'static str,
        poll: impl FnOnce(Pin<&mut H>, &mut Context<'_>, &mut Vec<u8>) -> Poll<Written>,
    ) -> Started {
        let mut cx = Context::from_waker(self.waker);
        let (mut places, mut out) = (self.places.borrow_mut(), self.replies.borrow_mut());
        places.poll(handling, name, &mut out, |handling, out| poll(handling, &mut cx, out))
    }
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
    fn poll<H: Handling + 'static>(
        &mut self,
        handling: H,
        name: &'static str,
        out: &mut Vec<u8>,
        poll: impl FnOnce(Pin<&mut H>, &mut Vec<u8>) -> Poll<Written>,
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
                let Some(handling) = place.as_mut().as_pin_mut() else { return };
                if let Poll::Ready(ended) = poll(handling, out) {
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

#[cfg(test)]
mod tests {
    use std::panic::resume_unwind;

    use super::*;
    use crate::codec::Encoded;
    use crate::reply::Code;

    /// Writes one byte with each poll, and what comes next.
    struct Step<const PAD: usize>(u8, Then, [u8; PAD]);

    #[derive(Clone, Copy, PartialEq)]
    enum Then {
        Ends,
        Waits,
        Panics,
        /// When it is dropped.
        Bursts,
    }

    fn step(then: Then) -> Step<0> {
        Step(7, then, [])
    }

    impl<const PAD: usize> Handling for Step<PAD> {
        fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<Written> {
            out.push(self.0);
            match self.1 {
                Then::Ends | Then::Bursts => Poll::Ready(Ok(Encoded::Copied)),
                Then::Waits => {
                    self.1 = Then::Ends;
                    Poll::Pending
                }
                Then::Panics => resume_unwind(Box::new("amid its code")),
            }
        }
    }

    impl<const PAD: usize> Drop for Step<PAD> {
        fn drop(&mut self) {
            if self.1 == Then::Bursts {
                resume_unwind(Box::new("in a drop"));
            }
        }
    }

    /// Polls a handler behind the reply `[1]`.
    fn poll(places: &mut Places, handling: impl Handling + 'static) -> (Started, Vec<u8>) {
        let (mut out, mut cx) = (vec![1], Context::from_waker(Waker::noop()));
        let started =
            places.poll(handling, "test", &mut out, |handling, out| handling.poll(&mut cx, out));
        (started, out)
    }

    fn assert_ends(places: &mut Places, handling: impl Handling + 'static) {
        let (started, out) = poll(places, handling);
        assert!(matches!(started, Started::Ended(Ok(Encoded::Copied))));
        assert_eq!(out, [1, 7]);
    }

    #[test]
    fn a_place_is_used_again_by_the_next_of_its_kind() {
        let mut places = Places::default();
        let at = |places: &Places| {
            let place = places.0[0].1.downcast_ref::<Place<Step<0>>>().unwrap();
            std::ptr::from_ref(&**place)
        };
        assert_ends(&mut places, step(Then::Ends));
        let first = at(&places);
        assert_ends(&mut places, Step(7, Then::Ends, [0; 1]));
        assert_ends(&mut places, step(Then::Ends));
        assert_eq!((at(&places), places.0.len()), (first, 2));
    }

    #[test]
    fn few_places_are_kept_and_no_large_ones() {
        let mut places = Places::default();
        assert_ends(&mut places, Step(7, Then::Ends, [0; LARGE]));
        assert!(places.0.is_empty());
        macro_rules! each {
            ($($pad:literal)*) => { $(assert_ends(&mut places, Step(7, Then::Ends, [0; $pad]));)* };
        }
        each!(0 1 2 3 4 5 6 7 8 9 10 11);
        assert_eq!(places.0.len(), KEPT);
        each!(0 11 5);
    }

    #[test]
    fn a_handler_that_waits_goes_on_elsewhere() {
        let mut places = Places::default();
        let (started, _) = poll(&mut places, step(Then::Waits));
        let Started::Pending(mut waiting) = started else { panic!("it waits") };
        assert_ends(&mut places, step(Then::Ends));
        let mut out = Vec::new();
        let again = waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()), &mut out);
        assert!(again.is_ready() && out == [7]);
    }

    #[test]
    fn what_a_handler_wrote_before_it_panicked_is_no_reply() {
        let mut places = Places::default();
        for _ in 0..3 {
            let (started, out) = poll(&mut places, step(Then::Panics));
            let Started::Ended(Err(why)) = started else { panic!("it has ended") };
            assert_eq!((why.code(), &out[..]), (Code::Panicked, &[1][..]));
            assert_ends(&mut places, step(Then::Ends));
        }
    }

    #[test]
    fn a_panic_in_a_drop_does_not_take_the_reply_back() {
        let mut places = Places::default();
        for _ in 0..3 {
            assert_ends(&mut places, step(Then::Bursts));
            assert_ends(&mut places, step(Then::Ends));
        }
    }
}
