//! When a phase is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Looked at between calls: one load. A thread that sleeps sets it, so that no timer of a runtime
/// takes part.
#[derive(Clone, Debug)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(crate) fn after(time: Duration) -> Self {
        let stop = Self(Arc::new(AtomicBool::new(false)));
        let over = stop.clone();
        thread::spawn(move || {
            thread::sleep(time);
            over.0.store(true, Ordering::Relaxed);
        });
        stop
    }

    /// Whether the last call has been made.
    #[inline]
    pub fn is_over(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
