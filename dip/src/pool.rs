//! The connections of one client to a classic server: at most so many, one message at a time on each.
//!
//! A [`Lease`] owns a permit of the pool and the connection that goes with it. Dropping a lease
//! closes the connection and frees the permit, whatever the reason: a message that was given up, an
//! error, a cancelled caller. Only [`Lease::keep`] gives the connection back, and only a caller whose
//! reply has arrived whole says so. Neither ever waits, and no lock is held across an `await`.

mod connection;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

pub(crate) use connection::{Connection, DialError, Ended, Frame};

use crate::transport::{Access, Address, Stream};

/// The connections of one client.
#[derive(Debug)]
pub(crate) struct Pool {
    address: Address,
    access: Access,
    size: usize,
    permits: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// In the order in which they were last used. The last is used first: the others get a chance to
    /// stay idle for [`IDLE`], and to be closed.
    idle: Vec<Idle>,
    id: Option<Uuid>,
    closed: bool,
    /// Until when those who have or wait for a connection may need it, and how many they are.
    deadlines: BTreeMap<Instant, usize>,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

/// For how long a pool keeps connections that a burst has left behind.
const IDLE: Duration = Duration::from_secs(60);

/// Why there is no lease.
#[derive(Debug)]
pub(crate) enum Unleased {
    /// Every connection was busy until the deadline.
    Busy,
    /// The pool was closed.
    Closed,
    /// There is no new connection.
    Undialed(DialError),
}

impl Pool {
    /// A pool of at most `size` connections, at least one.
    pub(crate) fn new(address: Address, access: Access, id: Option<Uuid>, size: usize) -> Self {
        let size = size.clamp(1, MAX_SIZE);
        Self {
            address,
            access,
            size,
            permits: Arc::new(Semaphore::new(size)),
            state: Mutex::new(State {
                idle: Vec::new(),
                id,
                closed: false,
                deadlines: BTreeMap::new(),
            }),
        }
    }

    /// The id that new connections claim.
    pub(crate) fn id(&self) -> Option<Uuid> {
        self.state().id
    }

    /// A connection that nobody else uses: an idle one, or a new one. Its use ends by `deadline`.
    ///
    /// Cancel safe: a caller that leaves takes nothing along.
    pub(crate) async fn acquire(self: &Arc<Self>, deadline: Instant) -> Result<Lease, Unleased> {
        let user = User::new(self, deadline);
        let permit = match self.permits.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => timeout_at(deadline, self.permits.clone().acquire_owned())
                .await
                .map_err(|_| Unleased::Busy)?
                .map_err(|_| Unleased::Closed)?,
        };
        let (connection, reused) = match self.pop() {
            Some(connection) => (connection, true),
            None => (self.dial(deadline).await?, false),
        };
        Ok(Lease { connection, reused, user, _permit: permit })
    }

    /// A connection made of a stream on which a classic server waits for its first frame.
    pub(crate) async fn adopt(
        self: &Arc<Self>,
        stream: Stream,
        deadline: Instant,
    ) -> Result<Lease, Unleased> {
        let user = User::new(self, deadline);
        // Nobody else knows the pool yet: there is a permit.
        let permit = self.permits.clone().try_acquire_owned().map_err(|_| Unleased::Closed)?;
        let connection = Connection::over(stream, &self.address, self.id(), deadline)
            .await
            .map_err(Unleased::Undialed)?;
        Ok(Lease { connection, reused: false, user, _permit: permit })
    }

    async fn dial(&self, deadline: Instant) -> Result<Connection, Unleased> {
        let id = self.id();
        // In a box: few messages need it, and it takes more room than all the rest.
        Box::pin(Connection::dial(&self.address, &self.access, id, deadline))
            .await
            .map_err(Unleased::Undialed)
    }

    /// The idle connection that was used last and is still good; those that are not are dropped, and
    /// so are others that nobody has used for [`IDLE`].
    fn pop(&self) -> Option<Connection> {
        let now = Instant::now();
        loop {
            let (mut connection, id, _old) = {
                let mut state = self.state();
                let connection = state.idle.pop()?.connection;
                let old = state.idle.partition_point(|idle| now - idle.since > IDLE);
                let old: Vec<Idle> = state.idle.drain(..old).collect();
                (connection, state.id, old)
            };
            if connection.id() == id && connection.is_quiet() {
                return Some(connection);
            }
            tracing::debug!(address = %self.address, "an idle connection is replaced");
        }
    }

    /// Lets what is under way finish, callers that wait for a connection included, and closes all
    /// connections. That takes no longer than the deadlines of the leases and of those who wait for
    /// one: a future that is not polled any more never lets go.
    pub(crate) async fn close(&self) {
        let last = {
            let mut state = self.state();
            state.closed = true;
            state.deadlines.last_key_value().map(|(deadline, _)| *deadline)
        };
        if let Some(last) = last {
            // Permits are given in the order in which they were asked for. A pool that is closed
            // twice at once answers the second time with an error: then it is closed, too.
            let all = u32::try_from(self.size).unwrap_or(u32::MAX);
            _ = timeout_at(last, self.permits.acquire_many(all)).await;
        }
        self.permits.close();
        let idle = std::mem::take(&mut self.state().idle);
        drop(idle);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// More connections to one server than any process can open.
const MAX_SIZE: usize = 1 << 20;

/// The use of one connection.
#[derive(Debug)]
pub(crate) struct Lease {
    // Dropped in this order: a permit is free only once its connection is closed.
    connection: Connection,
    reused: bool,
    _permit: OwnedSemaphorePermit,
    user: User,
}

/// Somebody who has a connection or waits for one, until a deadline.
#[derive(Debug)]
struct User {
    pool: Arc<Pool>,
    deadline: Instant,
}

impl User {
    fn new(pool: &Arc<Pool>, deadline: Instant) -> Self {
        *pool.state().deadlines.entry(deadline).or_default() += 1;
        Self { pool: pool.clone(), deadline }
    }
}

impl Drop for User {
    fn drop(&mut self) {
        if let Entry::Occupied(mut users) = self.pool.state().deadlines.entry(self.deadline) {
            *users.get_mut() -= 1;
            if *users.get() == 0 {
                users.remove();
            }
        }
    }
}

impl Lease {
    pub(crate) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Whether others have used the connection before.
    pub(crate) fn is_reused(&self) -> bool {
        self.reused
    }

    /// Replaces the connection by a new one: after one that was closed unseen, the idle ones are no
    /// better.
    pub(crate) async fn renew(&mut self, deadline: Instant) -> Result<(), Unleased> {
        self.connection = self.user.pool.dial(deadline).await?;
        self.reused = false;
        Ok(())
    }

    /// Gives the connection back: nothing is under way on it.
    ///
    /// An id that the server has accepted instead of the old one is that of the whole pool from now
    /// on; connections with another one are replaced before their next use. A pool that did not
    /// wait for this lease when it was closed takes nothing back.
    pub(crate) fn keep(self, new_id: Option<Uuid>) {
        let Self { mut connection, _permit, user, .. } = self;
        let mut state = user.pool.state();
        if user.pool.permits.is_closed() {
            return;
        }
        if new_id.is_some() {
            connection.set_id(new_id);
            state.id = new_id;
        }
        state.idle.push(Idle { connection, since: Instant::now() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_that_a_burst_has_left_behind_are_closed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let _server = tokio::net::UnixListener::bind(&path).unwrap();
        let pool = Arc::new(Pool::new(path.into(), Access::same_uid(), None, 4));
        let acquire = || pool.acquire(Instant::now() + IDLE * 2);
        let burst = [acquire().await, acquire().await, acquire().await];
        burst.into_iter().for_each(|lease| lease.unwrap().keep(None));

        tokio::time::pause();
        tokio::time::advance(IDLE / 2).await;
        tokio::time::resume();
        acquire().await.unwrap().keep(None);
        assert_eq!(pool.state().idle.len(), 3, "all have been used not long ago");

        tokio::time::pause();
        tokio::time::advance(IDLE * 2 / 3).await;
        tokio::time::resume();
        let lease = acquire().await.unwrap();
        assert!(lease.is_reused() && pool.state().idle.is_empty());
    }
}
