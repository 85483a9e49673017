//! How a server is put together.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::{Bound, Server, WeakServer};
use crate::context::States;
use crate::error::{Error, Fault, Result};
use crate::limits::Limits;
use crate::registry::Router;
use crate::service::{Service, Unhandled};
use crate::transport::{Access, Address, AddressError, Listener, Options};

/// The options of a server. Each is also a key of [`serve!`](crate::serve).
#[must_use = "a builder does nothing until `serve` or `bind`"]
pub struct ServerBuilder {
    address: Result<Address, AddressError>,
    router: Option<Router>,
    states: States,
    faults: Vec<Fault>,
    shutdown: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    limits: Limits,
    unhandled: Unhandled,
    options: Options,
}

impl ServerBuilder {
    pub(super) fn new(address: Result<Address, AddressError>) -> Self {
        Self {
            address,
            router: None,
            states: States::default(),
            faults: Vec::new(),
            shutdown: None,
            limits: Limits::default(),
            unhandled: Unhandled::default(),
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
        if !self.states.insert(state) {
            let name = std::any::type_name::<T>();
            let what = format!("two values of state `{name}` were given");
            self.faults.push(Fault::new(what, std::panic::Location::caller()));
        }
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
        self.limits = limits;
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

    /// What happens to built-in messages that no handler takes: they are acknowledged, unless said
    /// otherwise.
    pub fn unhandled(mut self, unhandled: Unhandled) -> Self {
        self.unhandled = unhandled;
        self
    }

    /// Checks the program and takes the address; [`Bound::run`] then serves.
    ///
    /// # Errors
    ///
    /// [`Error::Startup`] with everything that is wrong with the program, or why the address cannot
    /// be taken.
    pub async fn bind(self) -> Result<Bound> {
        let mut faults = self.faults;
        let router = self.router.unwrap_or_else(Router::linked);
        let routes = router.check(&self.states).map_err(|more| faults.extend(more)).ok();
        let (Some(routes), true) = (routes, faults.is_empty()) else {
            Fault::sort(&mut faults);
            return Err(Error::Startup(faults));
        };
        let listener = Listener::bind(&self.address?, self.options).await?;
        let Self { mut states, limits, unhandled, .. } = self;
        let service = Arc::new_cyclic(|weak| {
            states.insert(WeakServer(weak.clone()));
            Service::new(routes, states, limits, unhandled)
        });
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
