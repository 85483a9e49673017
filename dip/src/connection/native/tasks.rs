//! The handlers of a connection that had to wait.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

use crate::context::Context;
use crate::session::native::RequestKey;

/// The handlers of calls that run as tasks of their own.
#[derive(Default)]
pub(super) struct Tasks(Mutex<HashMap<RequestKey, Task>>);

/// A handler that runs as a task.
pub(super) struct Task {
    pub(super) context: Context,
    /// `None`: it runs to its end, whatever happens to its call.
    pub(super) abort: Option<AbortHandle>,
}

impl Tasks {
    /// Starts a task; it ends by [`remove`](Self::remove)ing itself.
    pub(super) fn start(&self, key: RequestKey, start: impl FnOnce() -> Task) {
        // A task that is done before it stands here waits for its turn to take itself out.
        let mut tasks = self.lock();
        tasks.insert(key, start());
    }

    /// The task of a call that nobody waits for any more. One that can be stopped is taken out.
    pub(super) fn stop(&self, key: RequestKey) -> Option<Task> {
        let mut tasks = self.lock();
        if tasks.get(&key)?.abort.is_some() {
            return tasks.remove(&key);
        }
        tasks.get(&key).map(|task| Task { context: task.context.clone(), abort: None })
    }

    pub(super) fn remove(&self, key: RequestKey) -> Option<Task> {
        self.lock().remove(&key)
    }

    /// All whose calls are over, for good or for bad.
    pub(super) fn remove_all(&self) -> Vec<(RequestKey, Task)> {
        self.lock().drain().collect()
    }

    pub(super) fn are_none(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RequestKey, Task>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
