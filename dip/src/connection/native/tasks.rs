//! The handlers of a connection that had to wait.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;
use tokio::task::AbortHandle;

use crate::context::{Context, GivenUp};
use crate::dispatch::Running;
use crate::link::Link;
use crate::reply::{Code, Outcome, Rejection};
use crate::service::Service;
use crate::session::native::RequestKey;

/// The handlers of calls that run as tasks of their own.
#[derive(Default)]
pub(super) struct Tasks(Mutex<FxHashMap<RequestKey, Task>>);

/// A handler that runs as a task.
struct Task {
    context: Context,
    /// `None` until it is spawned.
    abort: Option<AbortHandle>,
    stoppable: bool,
}

impl Tasks {
    /// Lets a handler go on as a task, which answers its call.
    pub(super) fn start(
        self: &Arc<Self>,
        key: RequestKey,
        running: Running,
        link: &Arc<Link>,
        service: &Arc<Service>,
    ) {
        let context = running.context().clone();
        let (stoppable, keeps_on) = (running.is_stoppable(), !running.handler().cancel);
        let end = End {
            link: link.clone(),
            tasks: self.clone(),
            key,
            context: context.clone(),
            answered: false,
        };
        let (mut call, cap) = (Call { running, end }, service.limits().handler_cap);
        let own = service.clone();
        let task = async move {
            let outcome = match keeps_on {
                true => call.running.finish_within(&own, cap).await,
                false => call.running.finish(&own).await,
            };
            call.end.answer(outcome);
        };
        // A runtime that shuts down drops what is spawned at once, and so answers the call: it stands
        // here before, and the lock is not held.
        self.lock().insert(key, Task { context, abort: None, stoppable });
        let abort = service.spawn(task);
        if let Some(task) = self.lock().get_mut(&key) {
            task.abort = Some(abort);
        }
    }

    /// Nobody waits for the reply any more: the handler is stopped if it can be, and its call is
    /// answered when it has stopped. One that cannot be stopped runs on; whether its call is
    /// answered now is for the caller to decide.
    pub(super) fn stop(&self, key: RequestKey, why: GivenUp) -> Stopped {
        let mut tasks = self.lock();
        let Some(Task { context, abort, stoppable }) = tasks.get(&key) else {
            return Stopped::Unknown;
        };
        let (context, abort) = (context.clone(), abort.clone());
        let stops = context.progress().withdraw() || *stoppable;
        if stops {
            tasks.remove(&key);
        }
        drop(tasks);
        context.progress().give_up(why);
        if stops {
            abort.as_ref().map(AbortHandle::abort);
            return Stopped::Stops;
        }
        Stopped::RunsOn
    }

    /// Stops them all; hands back the calls that they have not answered.
    pub(super) fn stop_all(&self) -> Vec<RequestKey> {
        let all: Vec<RequestKey> = self.lock().keys().copied().collect();
        for key in &all {
            self.stop(*key, GivenUp::Connection);
        }
        all
    }

    pub(super) fn are_none(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, FxHashMap<RequestKey, Task>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of a handler that nobody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// It has ended meanwhile.
    Unknown,
    Stops,
    RunsOn,
}

/// The answer to a call whose handler was stopped.
pub(super) fn stopped(why: Option<GivenUp>) -> Rejection {
    match why {
        Some(GivenUp::Caller) => {
            Rejection::of(Code::Cancelled, "CancelledError", "its caller gave up")
        }
        Some(GivenUp::Deadline) => {
            Rejection::of(Code::Deadline, "TimeoutError", "its time was over")
        }
        Some(GivenUp::Connection) | None => {
            let text = "the connection was closed before the handler had ended";
            Rejection::of(Code::Cancelled, "ConnectionError", text)
        }
    }
}

/// A call whose handler is a task. What the handler holds is dropped before the call is answered:
/// a caller that hears that it was stopped can count on it.
struct Call {
    running: Running,
    end: End,
}

/// Answers a call, also when its task is dropped.
struct End {
    link: Arc<Link>,
    tasks: Arc<Tasks>,
    key: RequestKey,
    context: Context,
    answered: bool,
}

impl End {
    fn answer(&mut self, outcome: Outcome) {
        self.answered = true;
        self.tasks.lock().remove(&self.key);
        self.link.answer(self.key, outcome);
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if self.answered {
            return;
        }
        let progress = self.context.progress();
        let why = stopped(progress.given_up());
        let why = if progress.has_begun() { why } else { why.unseen() };
        self.answer(Err(why));
    }
}
