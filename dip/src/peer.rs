//! Who sent a message.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use uuid::Uuid;

/// The other end of a connection.
///
/// `uid` and `pid` come from the kernel, the rest is what the peer claims.
#[derive(Clone)]
pub struct Peer {
    connection: Arc<Connected>,
    client_id: Option<Uuid>,
}

/// What holds for a connection as long as it lives.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) id: PeerId,
    pub(crate) uid: Option<u32>,
    pub(crate) pid: Option<NonZeroU32>,
}

/// The number of a connection: made by the server, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(pub(crate) u64);

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Peer {
    pub(crate) fn new(connection: Arc<Connected>, client_id: Option<Uuid>) -> Self {
        Self { connection, client_id }
    }

    /// This process as the other end, with an id of its choice: for tests that call handlers and
    /// extractors themselves. Its [`id`](Self::id) is 0, which no connection has.
    ///
    /// ```
    /// use dip::Peer;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// async fn whoami(peer: Peer) -> Option<u32> {
    ///     peer.pid().map(Into::into)
    /// }
    ///
    /// assert_eq!(whoami(Peer::of_this_process(None)).await, Some(std::process::id()));
    /// # }
    /// ```
    pub fn of_this_process(client_id: Option<Uuid>) -> Self {
        let connected = Connected {
            id: PeerId(0),
            uid: Some(rustix::process::geteuid().as_raw()),
            pid: NonZeroU32::new(std::process::id()),
        };
        Self::new(Arc::new(connected), client_id)
    }

    /// The number of the connection: unique, made by the server.
    pub fn id(&self) -> PeerId {
        self.connection.id
    }

    /// The id that the peer claimed before it sent this message. It is a label: not unique (a pool
    /// opens many connections under one id), possibly absent.
    pub fn client_id(&self) -> Option<Uuid> {
        self.client_id
    }

    /// The user that the peer's process runs as, as the kernel says; `None` over TCP.
    pub fn uid(&self) -> Option<u32> {
        self.connection.uid
    }

    /// The peer's process, when it connected; `None` over TCP and from another pid namespace. Pids
    /// are used again after a process has died.
    pub fn pid(&self) -> Option<NonZeroU32> {
        self.connection.pid
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("id", &self.id().0)
            .field("client_id", &self.client_id)
            .field("uid", &self.uid())
            .field("pid", &self.pid())
            .finish()
    }
}
