//! A handler under way, with all that waits and counts around it.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll, ready};
use std::time::Duration;

use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit};

use super::count::Count;
use super::turn::Turn;
use crate::context::Context;
use crate::handler::HandlerEntry;
use crate::reply::{Guarded, Handling, Outcome, Rejection, Work, Written, guarded};
use crate::service::Service;

/// A handler that has been started. When its code has come to an end, it lets go of all it holds but
/// its turn in a lane: that ends with it, so that its reply can leave before the next in the lane runs.
pub(crate) struct Running {
    code: Code,
    context: Context,
    /// Most handlers take nothing.
    taken: Option<Box<Taken>>,
    stoppable: bool,
    /// Somebody else counts it.
    counted: bool,
    /// It keeps others waiting, or was polled before: it goes on as a task of its own.
    apart: bool,
}

/// What a handler that waits takes from others.
#[derive(Default)]
struct Taken {
    /// Its turn in a lane, which a thread may hold beside it.
    turn: Option<Arc<OwnedMutexGuard<()>>>,
    /// One of the handlers that the server runs at once; not taken by one that never waits.
    permit: Option<OwnedSemaphorePermit>,
    count: Option<Count>,
}

/// Where a handler starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Starts {
    /// Where its message was read, as soon as its turn has come.
    Here,
    /// As a task of its own: it keeps others waiting.
    Apart,
    /// When there is room for it.
    Later,
}

/// The code of a handler. What it holds may panic when it is dropped, its message first of all.
struct Code {
    stage: Stage,
    handler: &'static HandlerEntry,
}

enum Stage {
    /// Its code has not begun.
    Waiting(Turn, Work),
    Begun(Guarded),
    /// On a thread, or in the queue of those that are acknowledged before.
    Elsewhere(Pin<Box<dyn Future<Output = Outcome> + Send>>),
    Over,
}

impl Running {
    pub(super) fn new(
        handler: &'static HandlerEntry,
        context: Context,
        work: Work,
        turn: Turn,
        starts: Starts,
    ) -> Self {
        let stoppable = handler.cancel && matches!(work, Work::Future(_));
        let stage = match (work, turn) {
            (Work::Future(handling), Turn::Come(None)) if starts == Starts::Here => {
                context.begin();
                Stage::Begun(Guarded::new(handling, handler.name))
            }
            (work, turn) => Stage::Waiting(turn, work),
        };
        let (code, apart) = (Code { stage, handler }, starts == Starts::Apart);
        Self { code, context, taken: None, stoppable, counted: false, apart }
    }

    /// A handler whose message was decoded where it was read, and whose code has not begun.
    pub(crate) fn waiting(handler: &'static HandlerEntry, context: Context, work: Work) -> Self {
        Self::new(handler, context, work, Turn::of(None), Starts::Here)
    }

    /// A handler whose code has begun, and has to wait.
    pub(crate) fn begun(
        handler: &'static HandlerEntry,
        context: Context,
        handling: Pin<Box<dyn Handling>>,
    ) -> Self {
        context.begin();
        let stage = Stage::Begun(Guarded::new(handling, handler.name));
        let code = Code { stage, handler };
        let stoppable = handler.cancel;
        Self { code, context, taken: None, stoppable, counted: false, apart: true }
    }

    /// A handler that runs and is counted wherever `elsewhere` lets it.
    pub(super) fn elsewhere(
        handler: &'static HandlerEntry,
        context: Context,
        elsewhere: impl Future<Output = Outcome> + Send + 'static,
    ) -> Self {
        let code = Code { stage: Stage::Elsewhere(Box::pin(elsewhere)), handler };
        Self { code, context, taken: None, stoppable: true, counted: true, apart: false }
    }

    pub(crate) fn handler(&self) -> &'static HandlerEntry {
        self.code.handler
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// What surrounded its message, for the next one.
    pub(crate) fn into_context(self) -> Context {
        self.context
    }

    /// Whether it goes on as a task of its own, whatever it does next.
    pub(crate) fn is_apart(&self) -> bool {
        self.apart
    }

    /// Whether it can be dropped amid its code when nobody waits for it any more.
    pub(crate) fn is_stoppable(&self) -> bool {
        self.stoppable
    }

    /// From now on it counts among those in hand.
    pub(super) fn count(&mut self, service: &Service) {
        if !std::mem::replace(&mut self.counted, true) {
            let count = Count::new(service.routes().find(self.context.mtype().number()));
            self.taken().count = Some(count);
        }
    }

    /// It has to wait, and takes what that costs.
    pub(crate) fn wait(&mut self, service: &Service) {
        self.count(service);
        if matches!(self.code.stage, Stage::Elsewhere(_)) {
            return;
        }
        let taken = self.taken();
        if taken.permit.is_none() {
            // There was one when it was started; a few more than there are do not matter.
            taken.permit = service.running().try_acquire_owned().ok();
        }
    }

    fn taken(&mut self) -> &mut Taken {
        self.taken.get_or_insert_default()
    }

    /// Its turn has come, if there is a lane.
    fn take_turn(&mut self, guard: Option<OwnedMutexGuard<()>>) {
        if let Some(guard) = guard {
            self.taken().turn = Some(Arc::new(guard));
        }
    }

    /// Runs the handler, which appends its reply to `out`.
    pub(crate) fn poll(
        &mut self,
        service: &Service,
        cx: &mut task::Context<'_>,
        out: &mut Vec<u8>,
    ) -> Poll<Written> {
        let Poll::Ready(written) = self.poll_stages(service, cx, out) else {
            self.wait(service);
            return Poll::Pending;
        };
        self.code.stage = Stage::Over;
        let count = self.taken.as_mut().and_then(|taken| {
            taken.permit = None;
            taken.count.take()
        });
        match (count, &written) {
            (Some(count), _) => count.end(written.is_ok()),
            (None, Ok(_)) => {}
            (None, Err(_)) => {
                if let Some(to) = service.routes().find(self.context.mtype().number()) {
                    to.counters.ended(false);
                }
            }
        }
        Poll::Ready(written)
    }

    fn poll_stages(
        &mut self,
        service: &Service,
        cx: &mut task::Context<'_>,
        out: &mut Vec<u8>,
    ) -> Poll<Written> {
        loop {
            match &mut self.code.stage {
                Stage::Waiting(turn, _) => {
                    let guard = ready!(turn.poll(cx));
                    self.take_turn(guard);
                    if let Some(refused) = self.begin(service) {
                        return Poll::Ready(refused);
                    }
                }
                Stage::Begun(guarded) => return guarded.poll(cx, out),
                Stage::Elsewhere(elsewhere) => {
                    let outcome = ready!(elsewhere.as_mut().poll(cx));
                    return Poll::Ready(outcome.map(Into::into));
                }
                Stage::Over => return Poll::Ready(Err(Rejection::withdrawn())),
            }
        }
    }

    /// Its turn has come.
    fn begin(&mut self, service: &Service) -> Option<Written> {
        let Stage::Waiting(_, work) = std::mem::replace(&mut self.code.stage, Stage::Over) else {
            return None;
        };
        self.code.stage = match work {
            Work::Future(handling) => {
                if !self.context.begin() {
                    return Some(Err(Rejection::withdrawn()));
                }
                Stage::Begun(Guarded::new(handling, self.code.handler.name))
            }
            Work::Blocking(function) => {
                self.wait(service);
                let (context, name) = (self.context.clone(), self.code.handler.name);
                let begin = move || context.progress().begin();
                let taken = self.taken();
                let hold = Box::new((taken.turn.clone(), taken.permit.take()));
                let thread = service.blocking().run(function, begin, hold, name);
                Stage::Elsewhere(Box::pin(thread))
            }
        };
        None
    }

    /// Waits for its turn in the lane.
    pub(super) async fn come(&mut self) {
        poll_fn(|cx| {
            let Stage::Waiting(turn, _) = &mut self.code.stage else { return Poll::Ready(()) };
            let guard = ready!(turn.poll(cx));
            self.take_turn(guard);
            Poll::Ready(())
        })
        .await;
    }

    pub(super) fn permit(&mut self, permit: OwnedSemaphorePermit) {
        self.taken().permit = Some(permit);
    }

    /// Runs it to its end, and ends its turn.
    pub(crate) async fn finish(&mut self, service: &Service) -> Outcome {
        let mut out = Vec::new();
        let written = poll_fn(|cx| self.poll(service, cx, &mut out)).await;
        if let Some(taken) = &mut self.taken {
            taken.turn = None;
        }
        written.map(|encoded| encoded.into_bytes(out))
    }

    /// Runs it to its end, or until it has taken as long as it may.
    pub(crate) async fn finish_within(&mut self, service: &Service, cap: Duration) -> Outcome {
        match tokio::time::timeout(cap, self.finish(service)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(super::capped_at(cap)),
        }
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        if !matches!(self.stage, Stage::Over) {
            let stage = std::mem::replace(&mut self.stage, Stage::Over);
            _ = guarded(|| drop(stage), self.handler.name);
        }
    }
}
