//! From a bound address to connections that are served.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::Server;
use crate::connection;
use crate::error::{Error, Result};
use crate::peer::Connected;
use crate::reply::{Code, Rejection};
use crate::service::{CloseReason, Service, Stage};
use crate::transport::{Address, Listener, Refusal, Stream};

/// How often a server looks whether its path still leads to it.
const PATH_CHECK: Duration = Duration::from_secs(2);

/// How many peers at once are told why they are turned away; others are just closed.
const TURNED_AWAY: usize = 16;

/// File descriptors that are left to the rest of the process.
const SPARE_DESCRIPTORS: usize = 64;

/// How long the server waits for the last answers once handlers were dropped.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// A server that has its address and does not serve yet: clients that connect are let in once it
/// [`run`](Self::run)s.
#[must_use = "a bound server serves only while it runs"]
pub struct Bound {
    server: Server,
    listener: Listener,
    shutdown: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    closed: CloseOnDrop,
}

impl Bound {
    pub(super) fn new(
        server: Server,
        listener: Listener,
        shutdown: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    ) -> Self {
        let closed = CloseOnDrop(server.0.clone());
        Self { server, listener, shutdown, closed }
    }

    /// Where clients reach the server, with the real port where port 0 was asked for.
    pub fn local_addr(&self) -> &Address {
        self.listener.local_addr()
    }

    /// A handle to the server.
    pub fn server(&self) -> Server {
        self.server.clone()
    }

    /// Serves until the server is stopped; then its own path is removed.
    ///
    /// # Errors
    ///
    /// [`Error::PathTaken`] when another server has replaced the socket at the path,
    /// [`Error::PathRemoved`] when somebody has removed it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the server at once: connections are closed, handlers are dropped.
    pub async fn run(mut self) -> Result<()> {
        let service = self.server.0.clone();
        let mut stage = service.stage();
        let mut path_check = tokio::time::interval(PATH_CHECK);
        let places = Arc::new(Semaphore::new(self.places()));
        let told = Arc::new(Semaphore::new(TURNED_AWAY));
        let shutdown = self.shutdown.take();
        let mut shutdown = std::pin::pin!(async {
            match shutdown {
                Some(shutdown) => shutdown.await,
                None => std::future::pending().await,
            }
        });
        let ended = loop {
            tokio::select! {
                biased;
                _ = stage.wait_for(|stage| *stage > Stage::Open) => break Ok(()),
                () = &mut shutdown => break Ok(()),
                _ = path_check.tick() => {
                    if let Address::Unix(path) = self.listener.local_addr()
                        && !self.listener.still_ours()
                    {
                        let (path, removed) = (path.clone(), self.listener.is_removed());
                        break Err(if removed { Error::PathRemoved(path) } else { Error::PathTaken(path) });
                    }
                }
                stream = self.listener.accept() => self.admit(stream, &places, &told),
            }
        };
        drop(stage);
        drop(self.listener);
        service.advance(Stage::Draining);
        let drained = service.ended();
        if tokio::time::timeout(service.limits().drain, drained).await.is_err() {
            tracing::warn!("handlers still ran when the time to finish was over; they are dropped");
        }
        drop(self.closed);
        // A caller that leaves `main` now would take the answers with it.
        _ = tokio::time::timeout(LAST_ANSWERS, service.ended()).await;
        ended
    }

    fn places(&self) -> usize {
        use rustix::process::{Resource, getrlimit};
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
        let most = descriptors.saturating_sub(SPARE_DESCRIPTORS).max(descriptors / 2);
        self.server.0.limits().connections.min(most).min(Semaphore::MAX_PERMITS)
    }

    fn admit(&self, stream: Stream, places: &Arc<Semaphore>, told: &Arc<Semaphore>) {
        let service = self.server.0.clone();
        service.totals().accepted.fetch_add(1, Relaxed);
        let place = places.clone().try_acquire_owned().map_err(|_| {
            let why = Rejection::of(Code::Overloaded, "ConnectionError", "too many connections");
            (CloseReason::TooMany, why)
        });
        let (access, told) = (self.listener.access().clone(), told.clone());
        // Who may connect can take long to find out: nobody else waits for that.
        tokio::spawn(async move {
            let credentials = stream.credentials();
            let admitted = match place {
                Ok(place) => {
                    access.admit(credentials).await.map(|()| place).map_err(|r| denied(&r))
                }
                Err(why) => Err(why),
            };
            let _place = match admitted {
                Ok(place) => place,
                Err((reason, why)) => {
                    service.totals().closed(reason);
                    tracing::warn!(?reason, %why, "a connection was turned away");
                    if let Ok(_told) = told.try_acquire_owned() {
                        // It is the reply to the peer's first frame.
                        connection::turn_away(stream, why.text_on_wire().as_bytes()).await;
                    }
                    return;
                }
            };
            let connected = Connected::of(service.next_peer(), credentials);
            connection::serve(service, stream, connected).await;
        });
    }
}

fn denied(refusal: &Refusal) -> (CloseReason, Rejection) {
    let why = Rejection::of(Code::Denied, "PermissionError", refusal.to_string());
    (CloseReason::Denied, why)
}

/// Ends what still runs when the server is stopped, or dropped.
struct CloseOnDrop(Arc<Service>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.advance(Stage::Closed);
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound").field("address", self.local_addr()).finish_non_exhaustive()
    }
}
