//! One connection over a stream that is there already.

use std::fmt;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::connection;
use crate::error::{Fault, Result};
use crate::limits::Limits;
use crate::peer::Connected;
use crate::registry::Router;
use crate::service::{Service, Setup, Stage, Unhandled};
use crate::transport::Stream;

/// The serving end of one connection over a stream that is connected already: the standard input and
/// output of an editor's server, one end of [`pair`](crate::pair), a socket from a parent.
///
/// ```rust,standalone_crate
/// # use dip::{handler, Protocol, Router}; use serde::{Serialize, Deserialize};
/// #[derive(Serialize, Deserialize, Protocol)]
/// #[mtype(b'A')]
/// #[protocol(reply = i64)]
/// struct Add { a: i64, b: i64 }
///
/// #[handler]
/// async fn add(Add { a, b }: Add) -> i64 { a + b }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> dip::Result<()> {
/// let (ours, theirs) = dip::pair();
/// tokio::spawn(dip::Connection::over(theirs, Router::new().handler(add)).run());
///
/// let client = dip::Client::over(ours).connect().await?;
/// assert_eq!(client.call(&Add { a: 1, b: 2 }).await?, 3);
/// # Ok(()) }
/// ```
#[must_use = "a connection serves only while it runs"]
pub struct Connection {
    stream: Stream,
    router: Router,
    setup: Setup,
    faults: Vec<Fault>,
}

impl Connection {
    /// Begins a connection over `stream` that is served by `router`.
    pub fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        router: Router,
    ) -> Self {
        let stream = Stream::over(stream);
        Self { stream, router, setup: Setup::default(), faults: Vec::new() }
    }

    /// State that handlers take as `State<T>`, as [`ServerBuilder::state`](crate::ServerBuilder::state).
    #[track_caller]
    pub fn state<T: Send + Sync + 'static>(mut self, state: T) -> Self {
        self.faults.extend(self.setup.add_state(state));
        self
    }

    /// What is accepted from the peer.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.setup.limits = limits;
        self
    }

    /// What happens to built-in messages that no handler takes.
    pub fn unhandled(mut self, unhandled: Unhandled) -> Self {
        self.setup.unhandled = unhandled;
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

    /// Serves until the connection has ended, and the handlers of one-way messages have, for which there
    /// is [`Limits::drain`].
    ///
    /// # Errors
    ///
    /// [`Error::Startup`](crate::Error::Startup) with everything that is wrong with the router and
    /// its state.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection; handlers are dropped.
    pub async fn run(self) -> Result<()> {
        let service = Service::assemble(Some(self.router), self.setup, self.faults)?;
        let _closed = CloseOnDrop(&service);
        let connected = Connected::of(service.next_peer(), self.stream.credentials());
        connection::serve(service.clone(), self.stream, connected).await;
        // One-way messages are handled to their end, also when the peer has left.
        _ = tokio::time::timeout(service.limits().drain, service.ended()).await;
        Ok(())
    }
}

/// Ends handlers that nobody waits for when the connection has ended.
struct CloseOnDrop<'a>(&'a Service);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.advance(Stage::Closed);
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("router", &self.router).finish_non_exhaustive()
    }
}
