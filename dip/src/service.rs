//! What all connections of a server share.

mod blocking;
mod incomplete;
mod lanes;
mod memory;
mod stats;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::{Semaphore, watch};

pub use stats::{CloseReason, Stats, TypeStats};

pub(crate) use blocking::{Blocking, Hold};
pub(crate) use incomplete::Incomplete;
pub(crate) use lanes::{Lane, Lanes};
pub(crate) use memory::{MEMORY_UNIT, Memory};
pub(crate) use stats::Totals;

use crate::context::States;
use crate::limits::Limits;
use crate::peer::PeerId;
use crate::registry::Routes;

/// The routes of a server, its limits, and what its connections take from each other.
pub(crate) struct Service {
    routes: Routes,
    states: States,
    limits: Limits,
    unhandled: Unhandled,
    totals: Totals,
    stage: watch::Sender<Stage>,
    incomplete: Incomplete,
    lanes: Lanes,
    running: Arc<Semaphore>,
    blocking: Blocking,
    memory: Arc<Semaphore>,
    next_peer: AtomicU64,
}

/// What happens to a built-in message that no handler takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unhandled {
    /// It is decoded, acknowledged and counted, as the Python package does.
    #[default]
    Acknowledge,
    /// Its sender is told that nobody handles it.
    Reject,
}

/// How far a server has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// It serves.
    Open,
    /// It finishes what it has begun.
    Draining,
    /// What is not finished now is dropped.
    Closed,
}

impl Service {
    pub(crate) fn new(
        routes: Routes,
        states: States,
        limits: Limits,
        unhandled: Unhandled,
    ) -> Self {
        let permits = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Self {
            routes,
            states,
            unhandled,
            totals: Totals::default(),
            stage: watch::Sender::new(Stage::Open),
            incomplete: Incomplete::new(limits.incomplete_connections),
            lanes: Lanes::default(),
            running: permits(limits.running_handlers),
            blocking: Blocking::new(limits.blocking_handlers),
            memory: permits(limits.memory.0 / MEMORY_UNIT),
            next_peer: 1.into(),
            limits,
        }
    }

    /// What has happened so far.
    pub(crate) fn stats(&self) -> Stats {
        Stats::new(&self.totals, &self.routes)
    }

    pub(crate) fn advance(&self, stage: Stage) {
        self.stage.send_if_modified(|now| {
            let further = stage > *now;
            *now = stage.max(*now);
            further
        });
    }

    /// Returns when nobody follows the stage any more: all connections and handlers have ended.
    pub(crate) async fn ended(&self) {
        self.stage.closed().await;
    }

    pub(crate) fn stage(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    pub(crate) fn routes(&self) -> &Routes {
        &self.routes
    }

    pub(crate) fn states(&self) -> &States {
        &self.states
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn unhandled(&self) -> Unhandled {
        self.unhandled
    }

    pub(crate) fn totals(&self) -> &Totals {
        &self.totals
    }

    pub(crate) fn incomplete(&self) -> &Incomplete {
        &self.incomplete
    }

    pub(crate) fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    /// Permits to run handlers.
    pub(crate) fn running(&self) -> Arc<Semaphore> {
        self.running.clone()
    }

    pub(crate) fn blocking(&self) -> Blocking {
        self.blocking.clone()
    }

    /// Permits to hold received bytes, one for each [`MEMORY_UNIT`].
    pub(crate) fn memory(&self) -> Arc<Semaphore> {
        self.memory.clone()
    }

    pub(crate) fn next_peer(&self) -> PeerId {
        PeerId(self.next_peer.fetch_add(1, Relaxed))
    }

    /// Runs a handler that no connection waits for, until the end of the server.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut stage = self.stage();
        tokio::spawn(async move {
            tokio::select! {
                () = work => {}
                _ = stage.wait_for(|stage| *stage == Stage::Closed) => {}
            }
            // The drain waits for the last receiver to go.
            drop(stage);
        });
    }
}
