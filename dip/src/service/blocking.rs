//! Handlers that block: on threads of their own, as many as the limits say.

use std::any::Any;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::reply::guarded;
use crate::reply::{Code, Outcome, Rejection};

/// What a handler keeps from others while it runs: its turn in a lane, its permits.
pub(crate) type Hold = Box<dyn Any + Send>;

/// Runs blocking handlers.
#[derive(Clone)]
pub(crate) struct Blocking(Arc<Semaphore>);

impl Blocking {
    pub(crate) fn new(at_once: usize) -> Self {
        Self(Arc::new(Semaphore::new(at_once.clamp(1, Semaphore::MAX_PERMITS))))
    }

    /// Waits for a free thread and runs `function` on it.
    ///
    /// A thread cannot be stopped: when this future is dropped, the function runs on, keeps its
    /// permit and `hold`, and its reply is dropped. It does not begin unless `begin` lets it.
    pub(crate) async fn run(
        self,
        function: Box<dyn FnOnce() -> Outcome + Send>,
        begin: impl FnOnce() -> bool + Send + 'static,
        hold: Hold,
        name: &'static str,
    ) -> Outcome {
        let stopped = || Rejection::of(Code::ShuttingDown, "ConnectionError", "the server stops");
        let permit = self.0.acquire_owned().await.map_err(|_| stopped())?;
        let thread = tokio::task::spawn_blocking(move || {
            let _held = (permit, hold);
            if !begin() {
                return Err(Rejection::withdrawn());
            }
            guarded(function, name).flatten()
        });
        // The runtime drops a task that has not begun when it shuts down.
        thread.await.map_err(|_| stopped()).flatten()
    }
}
