//! How a blocking client is put together.

use std::fmt;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::Client;
use super::dial::{Place, Target};
use crate::client::{CONNECT, Wire};
use crate::error::Result;
use crate::limits::{self, Limits};
use crate::transport::{Access, Address, AddressError, Socket};
use crate::wire::hello::App;

/// The options of a blocking client.
///
/// ```no_run
/// use std::time::Duration;
/// use dip::{Access, blocking::Client};
///
/// # fn example(run: uuid::Uuid) -> dip::Result<()> {
/// let client = Client::builder("/run/master/run.sock")
///     .id(Some(run))
///     .timeout(Duration::from_secs(1))
///     .access(Access::uids([1000]))
///     .app("worker", env!("CARGO_PKG_VERSION"))
///     .connect()?;
/// # Ok(()) }
/// ```
#[must_use = "a builder does nothing until `connect`"]
pub struct ClientBuilder {
    place: Result<Place, AddressError>,
    id: Option<Uuid>,
    timeout: Option<Duration>,
    access: Access,
    app: Option<(String, String)>,
    wire: Option<Wire>,
    limits: Limits,
}

impl ClientBuilder {
    pub(super) fn new(address: Result<Address, AddressError>) -> Self {
        Self::to(address.map(Place::Address))
    }

    pub(super) fn over(socket: Socket) -> Self {
        Self::to(Ok(Place::Socket(Some(socket))))
    }

    fn to(place: Result<Place, AddressError>) -> Self {
        Self {
            place,
            id: Some(Uuid::new_v4()),
            timeout: None,
            access: Access::default(),
            app: None,
            wire: None,
            limits: Limits::default(),
        }
    }

    /// The id that the client claims; `None` claims none. A random one, unless said otherwise.
    pub fn id(mut self, id: Option<Uuid>) -> Self {
        self.id = id;
        self
    }

    /// How long a message may take that says nothing of it: connecting, if need be, sending, and
    /// waiting for the reply. 10 s, and 5 s on the classic wire, unless said otherwise;
    /// [`connect`](Self::connect) has as long, and 5 s otherwise.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Which users the server on a Unix socket may run as, besides root: this process's own, unless
    /// said otherwise.
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// The name and the version of this program, for the server's people. The classic wire does not
    /// carry them.
    pub fn app(mut self, name: impl Into<String>, version: impl Into<String>) -> Self {
        self.app = Some((name.into(), version.into()));
        self
    }

    /// The wire to speak: the one that the server speaks, unless said otherwise. Asking for it makes
    /// a Python server log an error, once for each of its addresses and each process.
    pub fn wire(mut self, wire: Wire) -> Self {
        self.wire = Some(wire);
        self
    }

    /// What the client accepts from the server: of these, `max_message` is the longest reply.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Connects once, so that a server that is missing or refuses the id is an error here.
    ///
    /// A name of a host is looked up for as long as that takes.
    ///
    /// ```no_run
    /// # fn example() -> dip::Result<()> {
    /// let client = dip::blocking::Client::builder("/tmp/run.sock").id(None).connect()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Address`](crate::Error::Address); [`Error::Connect`](crate::Error::Connect), for a
    /// `mem:` address with [`ConnectError::NeedsRuntime`](crate::ConnectError::NeedsRuntime); and
    /// [`Error::NotSent`](crate::Error::NotSent) with [`Reason::Refused`](crate::Reason::Refused) or
    /// [`Reason::NotSupported`](crate::Reason::NotSupported). A server that does not answer in time
    /// is [`ConnectError::TimedOut`](crate::ConnectError::TimedOut).
    pub fn connect(self) -> Result<Client> {
        let Self { place, id, timeout, access, app, wire, limits } = self;
        let app = app.map(|(name, version)| App {
            name,
            version,
            label: String::new(),
            pid: std::process::id(),
        });
        let instance = Uuid::new_v4().into_bytes();
        let mut target = Target { place: place?, access, id, app, wire, limits, instance };
        let deadline = limits::end(Instant::now(), timeout.unwrap_or(CONNECT));
        match target.dial(deadline) {
            Ok(line) => Ok(Client::new(target, timeout, line)),
            Err(error) => Err(error.into_error(target.place.address())),
        }
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.place.as_ref().map(Place::address);
        f.debug_struct("ClientBuilder")
            .field("address", &address)
            .field("timeout", &self.timeout)
            .field("wire", &self.wire)
            .finish_non_exhaustive()
    }
}
