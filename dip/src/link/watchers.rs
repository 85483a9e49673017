//! Who waits for something to become true of a connection.

use std::task::Waker;

/// The wakers of those who wait. Each has a place that is taken with the first poll and given back
/// when it is dropped, so that a connection that lives long keeps none of those who left.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    /// `None`: woken, or free.
    places: Vec<Option<Waker>>,
    free: Vec<usize>,
}

/// Where a waker stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place(usize);

impl Watchers {
    pub(super) fn is_empty(&self) -> bool {
        self.free.len() == self.places.len()
    }

    /// Keeps a waker, and returns the one that stood there: it may run code of its own when it is
    /// dropped.
    pub(super) fn keep(&mut self, place: &mut Option<Place>, waker: &Waker) -> Option<Waker> {
        let Place(at) = place.get_or_insert_with(|| {
            Place(self.free.pop().unwrap_or_else(|| {
                self.places.push(None);
                self.places.len() - 1
            }))
        });
        match &mut self.places[*at] {
            Some(kept) if kept.will_wake(waker) => None,
            kept => kept.replace(waker.clone()),
        }
    }

    /// Takes all wakers out; the places are kept until their owners leave.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Waker> {
        self.places.iter_mut().filter_map(Option::take)
    }

    /// Gives a place back, with the waker that stood there.
    #[expect(clippy::needless_pass_by_value, reason = "it is given back once")]
    pub(super) fn leave(&mut self, place: Place) -> Option<Waker> {
        self.free.push(place.0);
        self.places[place.0].take()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering::Relaxed;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn who_left_is_not_woken_and_its_place_is_used_again() {
        let (stays, leaves) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let mut watchers = Watchers::default();
        let (mut first, mut second) = (None, None);
        watchers.keep(&mut first, &stays.clone().into());
        for _ in 0..1000 {
            watchers.keep(&mut second, &leaves.clone().into());
            watchers.leave(second.take().unwrap());
        }
        assert_eq!(Arc::strong_count(&leaves), 1, "no waker of it is kept");
        assert_eq!(watchers.places.len(), 2);
        watchers.take().for_each(Waker::wake);
        assert_eq!((stays.0.load(Relaxed), leaves.0.load(Relaxed)), (1, 0));
        assert!(!watchers.is_empty());
        watchers.leave(first.take().unwrap());
        assert!(watchers.is_empty());
    }

    #[test]
    fn the_latest_waker_is_woken() {
        let (old, new) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let mut watchers = Watchers::default();
        let mut place = None;
        assert!(watchers.keep(&mut place, &old.clone().into()).is_none());
        assert!(watchers.keep(&mut place, &old.clone().into()).is_none());
        assert!(watchers.keep(&mut place, &new.clone().into()).is_some());
        watchers.take().for_each(Waker::wake);
        assert_eq!((old.0.load(Relaxed), new.0.load(Relaxed)), (0, 1));
    }
}
