//! How many messages of a type are in hand.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::registry::Destination;

/// Counts a message whose handler has to wait as in flight until it has ended, also when its handler
/// is dropped.
pub(super) struct Count {
    to: Option<Arc<Destination>>,
    ended: bool,
}

impl Count {
    pub(super) fn new(to: Option<&Arc<Destination>>) -> Self {
        if let Some(to) = to {
            to.counters.in_flight.fetch_add(1, Relaxed);
        }
        Self { to: to.cloned(), ended: false }
    }

    pub(super) fn end(mut self, well: bool) {
        self.ended = true;
        if let Some(to) = &self.to {
            to.counters.ended(well);
        }
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        if let Some(to) = &self.to {
            to.counters.in_flight.fetch_sub(1, Relaxed);
            if !self.ended {
                to.counters.errors.fetch_add(1, Relaxed);
            }
        }
    }
}
