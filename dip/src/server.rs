//! A server: what it is made of, and what users hold of it.

mod accept;
mod blocking;
mod builder;
mod incomplete;
mod lanes;
mod memory;
mod signals;
mod stats;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::{Semaphore, watch};

pub use accept::Bound;
pub use builder::ServerBuilder;
pub use signals::signals;
pub use stats::{CloseReason, Stats, TypeStats};

pub(crate) use blocking::Blocking;
pub(crate) use incomplete::Incomplete;
pub(crate) use lanes::Lanes;
pub(crate) use memory::{MEMORY_UNIT, Memory};
pub(crate) use stats::Totals;

use crate::context::{Context, FromContext, States};
use crate::limits::Limits;
use crate::peer::PeerId;
use crate::registry::Routes;
use crate::reply::Rejection;
use crate::transport::{Address, AddressError};

/// A running server: a handle, cheap to clone. Handlers may take it as an argument.
///
/// ```rust,standalone_crate
/// # use dip::{handler, Protocol}; use serde::{Serialize, Deserialize};
/// # #[derive(Serialize, Deserialize, Protocol)] #[mtype(b'N')] #[protocol(codec = json)]
/// # struct Note { text: String }
/// # #[handler] async fn note(_: Note) {}
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> dip::Result<()> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("run.sock");
/// let bound = dip::Server::builder(&path).bind().await?;
/// let server = bound.server();
/// let running = tokio::spawn(bound.run());
///
/// assert_eq!(server.stats().connections, 0);
/// server.shutdown();
/// running.await.expect("the server does not panic")?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Server(Arc<Shared>);

struct Shared {
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

impl Server {
    /// Begins a server at `address`: a path, `unix:PATH` or `tcp:HOST:PORT`.
    ///
    /// A bad address is an error of [`bind`](ServerBuilder::bind).
    pub fn builder(address: impl TryInto<Address, Error: Into<AddressError>>) -> ServerBuilder {
        ServerBuilder::new(address.try_into().map_err(Into::into))
    }

    /// What has happened so far.
    pub fn stats(&self) -> Stats {
        Stats::new(&self.0.totals, &self.0.routes)
    }

    /// Begins a graceful stop and returns at once: no new connections, messages in hand are
    /// finished and answered. [`Bound::run`] returns when that is done, or after
    /// [`Limits::drain`]; then what still runs is dropped.
    pub fn shutdown(&self) {
        self.advance(Stage::Draining);
    }

    pub(crate) fn advance(&self, stage: Stage) {
        self.0.stage.send_if_modified(|now| {
            let further = stage > *now;
            *now = stage.max(*now);
            further
        });
    }

    pub(crate) fn stage(&self) -> watch::Receiver<Stage> {
        self.0.stage.subscribe()
    }

    pub(crate) fn routes(&self) -> &Routes {
        &self.0.routes
    }

    pub(crate) fn states(&self) -> &States {
        &self.0.states
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(crate) fn unhandled(&self) -> Unhandled {
        self.0.unhandled
    }

    pub(crate) fn totals(&self) -> &Totals {
        &self.0.totals
    }

    pub(crate) fn incomplete(&self) -> &Incomplete {
        &self.0.incomplete
    }

    pub(crate) fn lanes(&self) -> &Lanes {
        &self.0.lanes
    }

    /// Permits to run handlers.
    pub(crate) fn running(&self) -> Arc<Semaphore> {
        self.0.running.clone()
    }

    pub(crate) fn blocking(&self) -> Blocking {
        self.0.blocking.clone()
    }

    /// Permits to hold received bytes, one for each [`MEMORY_UNIT`].
    pub(crate) fn memory(&self) -> Arc<Semaphore> {
        self.0.memory.clone()
    }

    pub(crate) fn next_peer(&self) -> PeerId {
        PeerId(self.0.next_peer.fetch_add(1, Relaxed))
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

impl FromContext for Server {
    fn from_context(context: &Context) -> Result<Self, Rejection> {
        Ok(context.server().clone())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
