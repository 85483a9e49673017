//! A server: what users hold of it.

mod accept;
mod broadcast;
mod builder;
mod over;
mod signals;

use std::fmt;
use std::sync::Arc;

pub use accept::Bound;
pub use broadcast::{Broadcast, Slow};
pub use builder::ServerBuilder;
pub use over::Connection;
pub use signals::signals;

use crate::context::{Context, FromContext};
use crate::error::{Error, Result};
use crate::peer::{Peer, PeerId};
use crate::reply::{Code, Rejection};
use crate::service::{Service, Stage, Stats, WeakService};
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
pub struct Server(Arc<Service>);

impl Server {
    /// Begins a server at `address`: an [`Address`], as a path or `tcp:HOST:PORT`.
    ///
    /// A bad address is an error of [`bind`](ServerBuilder::bind).
    pub fn builder(address: impl TryInto<Address, Error: Into<AddressError>>) -> ServerBuilder {
        ServerBuilder::new(address.try_into().map_err(Into::into))
    }

    /// What has happened so far.
    pub fn stats(&self) -> Stats {
        self.0.stats()
    }

    /// The peers that are connected now, in the order in which they came.
    ///
    /// ```no_run
    /// # fn example(server: dip::Server, run: dip::Uuid) {
    /// let workers: Vec<dip::Peer> = server.peers();
    /// let of_this_run = workers.iter().filter(|worker| worker.client_id() == Some(run));
    /// # _ = of_this_run.count(); }
    /// ```
    pub fn peers(&self) -> Vec<Peer> {
        self.0.peers().all()
    }

    /// Waits until so many peers are connected at the same time, on either wire, and returns them as
    /// [`peers`](Self::peers) does: all of them, which may be more.
    ///
    /// It waits as long as the server runs; `tokio::time::timeout` around it waits no longer than that.
    ///
    /// ```rust,standalone_crate
    /// # use dip::{handler, Protocol}; use serde::{Serialize, Deserialize};
    /// # #[derive(Serialize, Deserialize, Protocol)] #[mtype("note")] struct Note;
    /// # #[handler] async fn note(_: Note) {}
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> dip::Result<()> {
    /// # let bound = dip::Server::builder("mem:wait-for-peers").bind().await?;
    /// let server = bound.server();
    /// tokio::spawn(bound.run());
    /// let _workers = [
    ///     dip::Client::connect("mem:wait-for-peers").await?,
    ///     dip::Client::connect("mem:wait-for-peers").await?,
    /// ];
    /// let workers = server.wait_for_peers(2).await?;
    /// assert_eq!(workers.len(), 2);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::ShuttingDown`] when the server stops, or was never run and is dropped, before there
    /// are so many.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped loses nothing, and one that is kept does not delay the end of the
    /// server.
    pub async fn wait_for_peers(&self, count: usize) -> Result<Vec<Peer>> {
        self.0.peers().at_least(count).await.ok_or(Error::ShuttingDown)
    }

    /// The peer of this connection, if it is still there.
    pub fn peer(&self, id: PeerId) -> Option<Peer> {
        self.0.peers().find(id)
    }

    /// Begins a graceful stop and returns at once: no new connections, messages in hand are
    /// finished and answered. [`Bound::run`] returns when that is done, or after
    /// [`Limits::drain`](crate::Limits::drain); then what still runs is dropped.
    pub fn shutdown(&self) {
        self.0.advance(Stage::Draining);
    }
}

impl FromContext for Server {
    fn from_context(context: &Context) -> Result<Self, Rejection> {
        let server = context.state::<WeakService>().and_then(|service| service.0.upgrade());
        // What runs a handler keeps the server alive; only a context kept for later outlives it.
        let ended = || Rejection::of(Code::Cancelled, "ConnectionError", "the server has ended");
        server.map(Self).ok_or_else(ended)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
