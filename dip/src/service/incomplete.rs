//! Connections that have not said anything yet.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// No connection younger than this is closed to make room.
const SPARED: Duration = Duration::from_secs(1);

/// The connections without a whole frame, oldest first: one that is over the limit has to go.
pub(crate) struct Incomplete {
    limit: usize,
    waiting: Mutex<VecDeque<Arc<Notify>>>,
}

/// A place among the incomplete connections, for as long as it is kept.
struct Waiting<'a> {
    all: &'a Incomplete,
    evicted: Arc<Notify>,
}

impl Incomplete {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, waiting: Mutex::default() }
    }

    /// Returns when a connection that was just opened, and that has nothing to say, has to go.
    ///
    /// Only what is over a second old counts: a worker that was just started gets its chance, and
    /// most connections never come here.
    pub(crate) async fn evicted(&self) {
        tokio::time::sleep(SPARED).await;
        let waiting = self.wait();
        waiting.evicted.notified().await;
    }

    fn wait(&self) -> Waiting<'_> {
        let evicted = Arc::new(Notify::new());
        self.with(|waiting| {
            waiting.push_back(evicted.clone());
            let excess = waiting.len().saturating_sub(self.limit);
            for oldest in waiting.drain(..excess) {
                oldest.notify_one();
            }
        });
        Waiting { all: self, evicted }
    }

    fn with<T>(&self, change: impl FnOnce(&mut VecDeque<Arc<Notify>>) -> T) -> T {
        change(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.all.with(|waiting| waiting.retain(|other| !Arc::ptr_eq(other, &self.evicted)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_evicted(waiting: &Waiting<'_>) -> bool {
        let mut evicted = std::pin::pin!(waiting.evicted.notified());
        evicted.as_mut().enable()
    }

    #[test]
    fn the_oldest_above_the_limit_goes() {
        let all = Incomplete::new(2);
        let mut waiting: Vec<_> = (0..4).map(|_| all.wait()).collect();
        assert_eq!(waiting.iter().map(is_evicted).collect::<Vec<_>>(), [true, true, false, false]);
        waiting.pop();
        waiting.push(all.wait());
        assert!(!is_evicted(&waiting[2]), "one has left, so there is room for another");
        drop(waiting);
        all.with(|waiting| assert!(waiting.is_empty()));
    }
}
