//! What all connections of a server share.

mod blocking;
mod incomplete;
mod lanes;
mod memory;
mod peers;
mod stats;

use std::future::Future;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;
use uuid::Uuid;

pub use peers::ClientGone;
pub use stats::{CloseReason, Stats, TypeStats};

pub(crate) use blocking::Blocking;
pub(crate) use incomplete::Incomplete;
pub(crate) use lanes::{Lane, Lanes};
pub(crate) use memory::{MEMORY_UNIT, Memory};
pub(crate) use peers::{Hooks, Peers};
pub(crate) use stats::Totals;

use crate::context::States;
use crate::error::{Error, Fault};
use crate::limits::Limits;
use crate::peer::PeerId;
use crate::registry::{Router, Routes};

/// The routes of a server, its limits, and what its connections take from each other.
pub(crate) struct Service {
    routes: Routes,
    states: States,
    limits: Limits,
    unhandled: Unhandled,
    spin: Duration,
    wires: Wires,
    instance: [u8; 16],
    peers: Peers,
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

/// How the state of a service holds the service itself: it must not keep it alive.
#[derive(Clone)]
pub(crate) struct WeakService(pub(crate) Weak<Service>);

/// Which wires a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wires {
    pub(crate) classic: bool,
    pub(crate) native: bool,
}

impl Default for Wires {
    fn default() -> Self {
        Self { classic: true, native: true }
    }
}

/// What a service is made of besides its routes.
#[derive(Debug, Default)]
pub(crate) struct Setup {
    pub(crate) states: States,
    pub(crate) limits: Limits,
    pub(crate) unhandled: Unhandled,
    pub(crate) spin: Duration,
    pub(crate) wires: Wires,
    pub(crate) hooks: Hooks,
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

impl Setup {
    /// Adds a value of state; a second one of its type is a fault.
    #[track_caller]
    pub(crate) fn add_state<T: Send + Sync + 'static>(&mut self, state: T) -> Option<Fault> {
        let at = std::panic::Location::caller();
        let name = std::any::type_name::<T>();
        let fault = || Fault::new(format!("two values of state `{name}` were given"), at);
        (!self.states.insert(state)).then(fault)
    }
}

impl Service {
    /// The service of these handlers, checked together with what was found wrong before; without a
    /// router one that handles nothing.
    pub(crate) fn assemble(
        router: Option<Router>,
        mut setup: Setup,
        mut faults: Vec<Fault>,
    ) -> Result<Arc<Self>, Error> {
        let routes = match router {
            Some(router) => router.check(&setup.states).map_err(|more| faults.extend(more)).ok(),
            None => Some(Routes::without_handlers()),
        };
        let (Some(routes), true) = (routes, faults.is_empty()) else {
            Fault::sort(&mut faults);
            return Err(Error::Startup(faults));
        };
        Ok(Arc::new_cyclic(|weak| {
            setup.states.insert(WeakService(weak.clone()));
            Self::new(routes, setup)
        }))
    }

    pub(crate) fn new(routes: Routes, setup: Setup) -> Self {
        let Setup { states, limits, unhandled, spin, wires, hooks } = setup;
        let permits = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Self {
            routes,
            states,
            unhandled,
            spin,
            wires,
            instance: Uuid::new_v4().into_bytes(),
            peers: Peers::new(hooks),
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
        if stage > Stage::Open {
            self.peers.end();
        }
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

    /// How long connections look for bytes before they sleep.
    pub(crate) fn spin(&self) -> Duration {
        self.spin
    }

    pub(crate) fn wires(&self) -> Wires {
        self.wires
    }

    /// What tells this server from one that is started later.
    pub(crate) fn instance(&self) -> [u8; 16] {
        self.instance
    }

    pub(crate) fn peers(&self) -> &Peers {
        &self.peers
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

    /// Whether as many handlers run as may.
    pub(crate) fn is_full(&self) -> bool {
        self.running.available_permits() == 0
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
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let mut stage = self.stage();
        let task = tokio::spawn(async move {
            tokio::select! {
                () = work => {}
                Ok(_) = stage.wait_for(|stage| *stage == Stage::Closed) => {}
            }
            // The drain waits for the last receiver to go.
            drop(stage);
        });
        task.abort_handle()
    }
}
