//! How a client is put together.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::sending::after;
use super::{Client, Shared, Wire};
use crate::error::{Error, Reason, Result};
use crate::pool::{DialError, Pool, Unleased};
use crate::transport::{Access, Address, AddressError, ConnectError};

/// The options of a client.
///
/// ```no_run
/// use std::time::Duration;
/// use dip::{Access, Client, Wire};
///
/// # async fn example(run: uuid::Uuid) -> dip::Result<()> {
/// let client = Client::builder("/run/master/run.sock")
///     .id(Some(run))
///     .timeout(Duration::from_secs(1))
///     .pool_size(4)
///     .access(Access::uids([1000]))
///     .app("worker", env!("CARGO_PKG_VERSION"))
///     .wire(Wire::Classic)
///     .connect()
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until `connect`"]
pub struct ClientBuilder {
    address: Result<Address, AddressError>,
    id: Option<Uuid>,
    timeout: Duration,
    pool_size: usize,
    access: Access,
    app: Option<(String, String)>,
    wire: Wire,
}

impl ClientBuilder {
    pub(super) fn new(address: Result<Address, AddressError>) -> Self {
        Self {
            address,
            id: Some(Uuid::new_v4()),
            timeout: Duration::from_secs(5),
            pool_size: 16,
            access: Access::default(),
            app: None,
            wire: Wire::Classic,
        }
    }

    /// The id that the client claims on each of its connections; `None` claims none. A random one,
    /// unless said otherwise.
    pub fn id(mut self, id: Option<Uuid>) -> Self {
        self.id = id;
        self
    }

    /// How long a message may take, from the first poll of its future to its reply: waiting for a
    /// connection, connecting, sending and waiting for the reply. 5 s, unless said otherwise; it
    /// also bounds [`connect`](Self::connect).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How many connections there may be at once, at least one: 16, unless said otherwise. A classic
    /// connection carries one message at a time.
    pub fn pool_size(mut self, connections: usize) -> Self {
        self.pool_size = connections;
        self
    }

    /// Which users the server on a Unix socket may run as, besides root: this process's own, unless
    /// said otherwise.
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// The name and the version of this program, for the server's logs. The classic wire does not
    /// carry them.
    pub fn app(mut self, name: impl Into<String>, version: impl Into<String>) -> Self {
        self.app = Some((name.into(), version.into()));
        self
    }

    /// The wire to speak: the classic one, unless said otherwise.
    pub fn wire(mut self, wire: Wire) -> Self {
        self.wire = wire;
        self
    }

    /// Connects once, so that a server that is missing or refuses the id is an error here.
    ///
    /// ```no_run
    /// # async fn example() -> dip::Result<()> {
    /// let client = dip::Client::builder("/tmp/run.sock").id(None).connect().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Address`], [`Error::Connect`], and [`Error::NotSent`] with [`Reason::IdRefused`] or
    /// [`Reason::NotSupported`]. A server that does not accept the id in time is
    /// [`ConnectError::TimedOut`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    pub async fn connect(self) -> Result<Client> {
        let address = self.address?;
        if self.wire == Wire::Native {
            return Err(Error::NotSent(Reason::NotSupported(NO_NATIVE)));
        }
        let pool = Pool::new(address, self.access, self.id, self.pool_size);
        let pool = Arc::new(pool);
        let first = pool.acquire(after(self.timeout)).await.map_err(|error| match error {
            Unleased::Undialed(DialError::Connect(error)) => Error::Connect(error),
            Unleased::Undialed(DialError::IdRefused(remote)) => {
                Error::NotSent(Reason::IdRefused(remote))
            }
            // Nobody else knows the pool yet.
            Unleased::Busy | Unleased::Closed => {
                Error::Connect(ConnectError::TimedOut { address: pool.address().clone() })
            }
        })?;
        first.keep(None);
        let process = std::process::id();
        Ok(Client(Arc::new(Shared { pool, timeout: self.timeout, app: self.app, process })))
    }
}

const NO_NATIVE: &str = "this version of dip speaks the classic wire only";
