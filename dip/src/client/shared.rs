//! What the clones of a client have in common.

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::Wire;
use super::classic::{self, after};
use super::dial::{Reached, Target, Unreached};
use crate::call::{Called, Later, Message, Ready, Route, Unanswered};
use crate::codec::OwnedBody;
use crate::error::{CallError, Error, Reason, Result};
use crate::link::Link;
use crate::process::Process;
use crate::service::{Service, Stage};
use crate::session::native::Outcome;

/// For how long a message may travel that says nothing of it.
pub(crate) const NATIVE_TIMEOUT: Duration = Duration::from_secs(10);
pub(crate) const CLASSIC_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct Shared {
    pub(super) target: Target,
    pub(super) timeout: Option<Duration>,
    /// What handles the messages of the server.
    pub(super) service: Arc<Service>,
    /// The first connection to the server, which most clients never lose: it needs no lock.
    pub(super) first: Option<Arc<Link>>,
    pub(super) reached: Mutex<Reached>,
    /// Connections that were replaced, and on which there may be one-way messages that the server has
    /// not confirmed.
    pub(super) former: Mutex<Vec<Arc<Link>>>,
    /// Held while the server is looked for again.
    pub(super) dialing: tokio::sync::Mutex<()>,
    pub(super) closed: AtomicBool,
    pub(super) process: Process,
}

impl Shared {
    pub(super) fn wire(&self) -> Wire {
        match &*self.reached() {
            Reached::Native(_) => Wire::Native,
            Reached::Classic(_) => Wire::Classic,
        }
    }

    /// Where the server is reached, which may mean to look for it again.
    async fn reach(&self, deadline: Instant) -> Result<Reached, Unreached> {
        match self.reached_well() {
            Some(reached) => Ok(reached),
            // In a box: to dial takes far more room than a message that has a connection.
            None => Box::pin(self.reach_again(deadline)).await,
        }
    }

    fn reached_well(&self) -> Option<Reached> {
        Some(self.reached().clone()).filter(Reached::is_good)
    }

    async fn reach_again(&self, deadline: Instant) -> Result<Reached, Unreached> {
        let _dialing =
            timeout_at(deadline, self.dialing.lock()).await.map_err(|_| Unreached::Late)?;
        // Another message may have found it meanwhile.
        if let Some(reached) = self.reached_well() {
            return Ok(reached);
        }
        let found = self.target.dial(&self.service, deadline).await?;
        {
            let mut reached = self.reached();
            // Under the lock: who closes the client sees either this connection or none.
            if self.closed.load(Acquire) {
                drop(reached);
                if let Reached::Native(link) = &found {
                    link.close();
                }
                return Err(Unreached::Closed);
            }
            // And who flushes it sees the old one in one place or the other.
            if let Reached::Native(old) = std::mem::replace(&mut *reached, found.clone()) {
                self.former().push(old);
            }
        }
        self.former().retain(|link| link.is_worth_a_flush());
        Ok(found)
    }

    pub(super) async fn disconnected(&self) {
        let reached = self.reached().clone();
        match reached {
            Reached::Native(link) => link.ended().await,
            Reached::Classic(_) => std::future::pending().await,
        }
    }

    pub(super) async fn flush(&self) -> Result<()> {
        self.check().map_err(Error::NotSent)?;
        self.flush_all().await
    }

    /// What was sent over connections before this one counts, too.
    async fn flush_all(&self) -> Result<()> {
        let deadline = after(self.timeout.unwrap_or(NATIVE_TIMEOUT)).into_std();
        for link in self.links() {
            match link.flush(Some(deadline)).await {
                Outcome::Flushed => {}
                Outcome::Late { .. } => return Err(Error::Deadline { sent: true }),
                _ => return Err(Error::ConnectionLost),
            }
        }
        Ok(())
    }

    /// The native connections, oldest first.
    fn links(&self) -> Vec<Arc<Link>> {
        // In this order: one that is replaced meanwhile is among the former ones by then.
        let reached = self.reached().clone();
        let mut links = self.former().clone();
        if let Reached::Native(link) = reached
            && !links.iter().any(|former| Arc::ptr_eq(former, &link))
        {
            links.push(link);
        }
        links
    }

    fn former(&self) -> MutexGuard<'_, Vec<Arc<Link>>> {
        self.former.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn close(&self) -> Result<()> {
        if self.process.is_forked() {
            return Err(Error::NotSent(Reason::Forked));
        }
        self.closed.store(true, Release);
        let reached = self.reached().clone();
        if let Reached::Classic(pool) = reached {
            pool.close().await;
        }
        let links = self.links();
        for link in &links {
            link.settled().await;
        }
        let flushed = self.flush_all().await;
        for link in links {
            link.close();
            link.ended().await;
        }
        flushed
    }

    /// Why nothing can be sent any more, if so.
    fn check(&self) -> Result<(), Reason> {
        // First: in a child a lock may be held by a thread that does not exist there.
        if self.process.is_forked() {
            return Err(Reason::Forked);
        }
        if self.closed.load(Acquire) {
            return Err(Reason::Closed);
        }
        Ok(())
    }

    /// Why nothing can be sent without waiting, if so.
    pub(super) fn why_later(&self) -> Reason {
        match &*self.reached() {
            Reached::Native(_) => Reason::Disconnected,
            Reached::Classic(_) => Reason::NotSupported(classic::NO_NOTICES),
        }
    }

    fn reached(&self) -> MutexGuard<'_, Reached> {
        // Nothing panics while it is held.
        self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Route for Shared {
    fn first(&self) -> Option<&Link> {
        self.first.as_deref()
    }

    fn open(&self) -> Option<&Link> {
        let first = self.first()?;
        let open = !self.process.is_forked() && !self.closed.load(Acquire) && first.is_open();
        open.then_some(first)
    }

    fn ready(&self) -> Ready<'_> {
        if let Err(reason) = self.check() {
            return Ready::Refused(reason);
        }
        if let Some(first) = self.open() {
            return Ready::First(first);
        }
        match &*self.reached() {
            Reached::Native(link) if link.is_open() => Ready::Other(link.clone()),
            Reached::Native(_) | Reached::Classic(_) => Ready::Later(self.process),
        }
    }

    fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(NATIVE_TIMEOUT)
    }

    fn later(self: Arc<Self>, message: Message) -> Later {
        Box::pin(async move {
            let classic = matches!(&*self.reached(), Reached::Classic(_));
            let default = if classic { CLASSIC_TIMEOUT } else { NATIVE_TIMEOUT };
            let own = after(message.timeout.or(self.timeout).unwrap_or(default));
            let inherited =
                message.scope.as_ref().and_then(|scope| scope.deadline).map(Instant::from_std);
            let deadline = inherited.map_or(own, |inherited| own.min(inherited));
            let here = |error| Unanswered::Here(error);
            match self.reach(deadline).await.map_err(|why| here(why.into()))? {
                Reached::Native(link) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    let called = Called::begin(link, &message, left);
                    called.map_err(|reason| here(CallError::NotSent(reason)))?.await
                }
                Reached::Classic(pool) => {
                    classic::send(&pool, message, deadline).await.map_err(here)?;
                    Ok(OwnedBody::default())
                }
            }
        })
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if self.process.is_surely_forked() {
            return;
        }
        if let Reached::Native(link) = &*self.reached() {
            link.close();
        }
        // What this side still handles is let finish.
        self.service.advance(Stage::Draining);
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("target", &self.target)
            .field("wire", &self.wire())
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
impl Shared {
    /// What a child that was forked off has of it.
    pub(super) fn in_a_child(&self) -> Self {
        let pool_size = self.target.pool_size;
        Self {
            target: Target {
                place: super::dial::Place::Stream(Mutex::default()),
                access: self.target.access.clone(),
                id: None,
                app: None,
                wire: self.target.wire,
                pool_size,
            },
            timeout: self.timeout,
            service: self.service.clone(),
            first: self.first.clone(),
            reached: Mutex::new(self.reached().clone()),
            former: Mutex::default(),
            dialing: tokio::sync::Mutex::default(),
            closed: false.into(),
            process: self.process.in_a_child(),
        }
    }
}
