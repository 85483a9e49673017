//! How a server is put together.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::{Bound, Server};
use crate::error::{Fault, Result};
use crate::limits::Limits;
use crate::peer::Peer;
use crate::registry::Router;
use crate::service::{ClientGone, CloseReason, Service, Setup, Unhandled};
use crate::transport::{Access, Address, AddressError, Listener, Options};

/// The options of a server. Each is also a key of [`serve!`](crate::serve).
#[must_use = "a builder does nothing until `serve` or `bind`"]
pub struct ServerBuilder {
    address: Result<Address, AddressError>,
    router: Option<Router>,
    setup: Setup,
    faults: Vec<Fault>,
    shutdown: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    options: Options,
}

impl ServerBuilder {
    pub(super) fn new(address: Result<Address, AddressError>) -> Self {
        Self {
            address,
            router: None,
            setup: Setup::default(),
            faults: Vec::new(),
            shutdown: None,
            options: Options::default(),
        }
    }

    /// The handlers: [`Router::linked`] unless said otherwise.
    pub fn router(mut self, router: Router) -> Self {
        self.router = Some(router);
        self
    }

    /// State that handlers take as `State<T>`: one value a type, cloned for each message.
    #[track_caller]
    pub fn state<T: Send + Sync + 'static>(mut self, state: T) -> Self {
        self.faults.extend(self.setup.add_state(state));
        self
    }

    /// Stops the server gracefully when `future` is ready, as [`Server::shutdown`] does. Without it
    /// a server stops when its future is dropped; [`signals`](crate::signals) is the usual one.
    pub fn shutdown(mut self, future: impl Future<Output = ()> + Send + 'static) -> Self {
        self.shutdown = Some(Box::pin(future));
        self
    }

    /// What the server accepts from its peers.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.setup.limits = limits;
        self
    }

    /// Who may connect to a Unix socket: processes of the same user, unless said otherwise.
    pub fn access(mut self, access: Access) -> Self {
        self.options.access = access;
        self
    }

    /// Whether a Unix socket may lie in a directory in which others could replace it, as that of a
    /// Kubernetes `emptyDir`, which is writable by all: no, unless said otherwise.
    pub fn trust_directory(mut self, trust: bool) -> Self {
        self.options.trust_directory = trust;
        self
    }

    /// Listens on TCP although its peers cannot be authenticated: every local user can connect.
    pub fn insecure_no_auth(mut self, insecure: bool) -> Self {
        self.options.insecure_no_auth = insecure;
        self
    }

    /// Has each connection of the native wire look for bytes for so long after each message, before it
    /// lets the runtime wait for them. Default: 0, not at all.
    ///
    /// To wake a thread on a core that has halted takes 30 to 60 µs, more than most calls take
    /// otherwise. With this the thread does not sleep, but a core is busy for as long: it is for a few
    /// connections with a core to spare on each side, and 50 to 200 µs. Each side says it for itself.
    pub fn spin(mut self, time: Duration) -> Self {
        self.setup.spin = time;
        self
    }

    /// What happens to built-in messages that no handler takes: they are acknowledged, unless said
    /// otherwise.
    pub fn unhandled(mut self, unhandled: Unhandled) -> Self {
        self.setup.unhandled = unhandled;
        self
    }

    /// Whether the classic wire is spoken, as Python workers do: yes, unless said otherwise.
    pub fn classic(mut self, classic: bool) -> Self {
        self.setup.wires.classic = classic;
        self
    }

    /// Whether the native wire is spoken: yes, unless said otherwise. Without it clients of dip fall
    /// back to the classic one.
    pub fn native(mut self, native: bool) -> Self {
        self.setup.wires.native = native;
        self
    }

    /// Runs `hook` when a peer has connected and can be sent messages. It must not block; a task that
    /// it spawns may call the peer.
    ///
    /// On the classic wire a peer claims its id later: the one that the hook gets has none.
    pub fn on_connect(mut self, hook: impl Fn(Peer) + Send + Sync + 'static) -> Self {
        self.setup.hooks.connect = Some(Box::new(hook));
        self
    }

    /// Runs `hook` when a connection has closed. It must not block.
    pub fn on_disconnect(
        mut self,
        hook: impl Fn(Peer, CloseReason) + Send + Sync + 'static,
    ) -> Self {
        self.setup.hooks.disconnect = Some(Box::new(hook));
        self
    }

    /// Runs `hook` when the last connection has closed that claimed this id from this process, or
    /// has claimed another one: a worker with a pool of connections is gone once. It must not block.
    pub fn on_client_gone(mut self, hook: impl Fn(ClientGone) + Send + Sync + 'static) -> Self {
        self.setup.hooks.client_gone = Some(Box::new(hook));
        self
    }

    /// Checks the program and takes the address; [`Bound::run`] then serves.
    ///
    /// # Errors
    ///
    /// [`Error::Startup`](crate::Error::Startup) with everything that is wrong with the program, or why the address cannot
    /// be taken.
    pub async fn bind(self) -> Result<Bound> {
        let router = self.router.unwrap_or_else(Router::linked);
        let service = Service::assemble(Some(router), self.setup, self.faults)?;
        let listener = Listener::bind(&self.address?, self.options).await?;
        Ok(Bound::new(Server(service), listener, self.shutdown))
    }

    /// Binds and serves until the server is stopped.
    ///
    /// # Errors
    ///
    /// Those of [`bind`](Self::bind) and [`Bound::run`].
    pub async fn serve(self) -> Result<()> {
        self.bind().await?.run().await
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder")
            .field("address", &self.address)
            .field("router", &self.router)
            .finish_non_exhaustive()
    }
}
