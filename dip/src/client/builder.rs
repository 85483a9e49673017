//! How a client is put together.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use uuid::Uuid;

use super::classic::after;
use super::dial::{Place, Reached, Target};
use super::shared::Shared;
use super::{Client, Wire};
use crate::error::{Fault, Result};
use crate::limits::Limits;
use crate::process::Process;
use crate::registry::Router;
use crate::service::{Service, Setup};
use crate::transport::{Access, Address, AddressError, Stream};
use crate::wire::hello::App;

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
    place: Result<Place, AddressError>,
    id: Option<Uuid>,
    timeout: Option<Duration>,
    pool_size: usize,
    access: Access,
    app: Option<(String, String)>,
    wire: Option<Wire>,
    router: Option<Router>,
    setup: Setup,
    faults: Vec<Fault>,
}

impl ClientBuilder {
    pub(super) fn new(address: Result<Address, AddressError>) -> Self {
        Self::to(address.map(Place::Address))
    }

    pub(super) fn over(stream: Stream) -> Self {
        Self::to(Ok(Place::Stream(Mutex::new(Some(stream)))))
    }

    fn to(place: Result<Place, AddressError>) -> Self {
        Self {
            place,
            id: Some(Uuid::new_v4()),
            timeout: None,
            pool_size: 16,
            access: Access::default(),
            app: None,
            wire: None,
            router: None,
            setup: Setup::default(),
            faults: Vec::new(),
        }
    }

    /// The id that the client claims on each of its connections; `None` claims none. A random one,
    /// unless said otherwise.
    pub fn id(mut self, id: Option<Uuid>) -> Self {
        self.id = id;
        self
    }

    /// How long a message may take, from the first poll of its future to its reply: waiting for a
    /// connection, connecting, sending and waiting for the reply. 10 s, and 5 s on the classic wire,
    /// unless said otherwise; [`connect`](Self::connect) has as long, and 5 s otherwise.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How many connections to a classic server there may be at once, at least one: 16, unless said
    /// otherwise. Each carries one message at a time. The native wire needs one.
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

    /// The handlers of what the server sends: none, unless said otherwise. On the classic wire
    /// servers send nothing.
    pub fn router(mut self, router: Router) -> Self {
        self.router = Some(router);
        self
    }

    /// State that the handlers take as `State<T>`: one value a type, cloned for each message.
    #[track_caller]
    pub fn state<T: Send + Sync + 'static>(mut self, state: T) -> Self {
        self.faults.extend(self.setup.add_state(state));
        self
    }

    /// What the client accepts from the server.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.setup.limits = limits;
        self
    }

    /// Has the native connection look for bytes for so long after each message, before it lets the
    /// runtime wait for them. Default: 0, not at all.
    ///
    /// To wake a thread on a core that has halted takes 30 to 60 µs, more than most calls take
    /// otherwise. With this the thread does not sleep, but a core is busy for as long: it is for a few
    /// connections with a core to spare on each side, and 50 to 200 µs. Each side says it for itself.
    pub fn spin(mut self, time: Duration) -> Self {
        self.setup.spin = time;
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
    /// [`Error::Address`](crate::Error::Address); [`Error::Connect`](crate::Error::Connect);
    /// [`Error::NotSent`](crate::Error::NotSent) with [`Reason::Refused`](crate::Reason::Refused) by a
    /// server that turns this client away, or with
    /// [`Reason::NotSupported`](crate::Reason::NotSupported) by one that does not speak the
    /// [`wire`](Self::wire) asked for; [`Error::Startup`](crate::Error::Startup) with everything that
    /// is wrong with the router and its state. A server that says nothing in time is
    /// [`ConnectError::TimedOut`](crate::ConnectError::TimedOut).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    pub async fn connect(self) -> Result<Client> {
        let Self { place, id, timeout, pool_size, access, app, wire, router, setup, faults } = self;
        let service = Service::assemble(router, setup, faults)?;
        let app = app.map(|(name, version)| App {
            name,
            version,
            label: String::new(),
            pid: std::process::id(),
        });
        let place = place?;
        let pool_size = if place.is_one_connection() { 1 } else { pool_size };
        let target = Target { place, access, id, app, wire, pool_size };
        let deadline = after(timeout.unwrap_or(CONNECT));
        let reached = match target.dial(&service, deadline).await {
            Ok(reached) => reached,
            Err(error) => return Err(error.into_error(target.place.address())),
        };
        let first = match &reached {
            Reached::Native(link) => Some(link.clone()),
            Reached::Classic(_) => None,
        };
        let shared = Shared {
            target,
            timeout,
            service,
            first,
            reached: Mutex::new(reached),
            former: Mutex::default(),
            dialing: tokio::sync::Mutex::default(),
            closed: false.into(),
            process: Process::current(),
        };
        Ok(Client { shared: Arc::new(shared), scope: None })
    }
}

/// How long connecting may take.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);
