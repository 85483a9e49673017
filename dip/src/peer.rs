//! Who sent a message, and how to send it one.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::call::{self, Call, Later, Message, Ready, Route, Unanswered, Way};
use crate::error::{CallError, Reason};
use crate::link::{Link, Scope};
use crate::protocol::{Acknowledged, NoError, Protocol};
use crate::transport::Credentials;

/// The other end of a connection.
///
/// `uid` and `pid` come from the kernel, the rest is what the peer claims. On the native wire it can
/// be sent messages, too: a handler calls back through the `Peer` it takes, and a server finds its
/// peers by [`Server::peers`](crate::Server::peers).
///
/// What a handler sends through its own `Peer` belongs to the call it serves: it has no more time
/// than that, and the other end counts it as nested.
#[derive(Clone)]
pub struct Peer {
    connection: Arc<Connected>,
    client_id: Option<Uuid>,
    scope: Option<Scope>,
}

/// What holds for a connection as long as it lives.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) id: PeerId,
    pub(crate) uid: Option<u32>,
    pub(crate) pid: Option<NonZeroU32>,
    /// Which program the peer says it is.
    pub(crate) app: Option<Box<str>>,
    /// `None` on the classic wire.
    pub(crate) link: Option<Arc<Link>>,
    /// How long a message to the peer may take that says nothing of it.
    pub(crate) timeout: Duration,
}

impl Connected {
    /// A connection with the kernel's word on who is at the other end.
    pub(crate) fn of(id: PeerId, credentials: Option<Credentials>) -> Self {
        Self {
            id,
            uid: credentials.map(|credentials| credentials.uid),
            pid: credentials.and_then(|credentials| credentials.pid),
            app: None,
            link: None,
            timeout: TIMEOUT,
        }
    }
}

/// How long a message to a peer may take that says nothing of it.
const TIMEOUT: Duration = Duration::from_secs(10);

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
        Self { connection, client_id, scope: None }
    }

    /// The same peer, called on behalf of a handler.
    pub(crate) fn within(&self, scope: Scope) -> Self {
        Self { scope: Some(scope), ..self.clone() }
    }

    /// Becomes that peer, within the scope of one of its messages.
    pub(crate) fn become_that(&mut self, peer: &Self, scope: Option<Scope>) {
        if !Arc::ptr_eq(&self.connection, &peer.connection) {
            self.connection = peer.connection.clone();
        }
        (self.client_id, self.scope) = (peer.client_id, scope);
    }

    pub(crate) fn link(&self) -> Option<&Arc<Link>> {
        self.connection.link.as_ref()
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
            app: None,
            link: None,
            timeout: TIMEOUT,
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

    /// Which program the peer says it is, with its version: `worker 1.2.0`. For people: a peer can
    /// claim anything. `None` on the classic wire, and where
    /// [`ClientBuilder::app`](crate::ClientBuilder::app) was not said.
    pub fn app(&self) -> Option<&str> {
        self.connection.app.as_deref()
    }

    /// Calls the peer and waits for its reply.
    ///
    /// The message is encoded at once and not kept. It has the time that its type declares
    /// (`deadline`), or else 10 s.
    ///
    /// # Errors
    ///
    /// [`CallError`]. A peer on the classic wire takes no messages:
    /// [`Reason::NotSupported`]. One that has left is [`Reason::Gone`]: when it connects again, it is
    /// another peer.
    pub fn call<M: Protocol>(&self, message: &M) -> Call<M::Reply, M::Error> {
        Call::new::<M>(self.connection.clone(), Message::of(message, Way::Call, self.scope))
    }

    /// Sends the peer a message and waits until it was acknowledged: [`call`](Self::call) for
    /// messages that reply `()`.
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call).
    pub fn send<M: Acknowledged>(&self, message: &M) -> Call<(), M::Error> {
        self.call(message)
    }

    /// Sends the peer a one-way message: ready once the message is on its way, which waits for
    /// credit of a peer that is slow.
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call), but none of the peer's; [`Reason::SlowPeer`] when there was no
    /// credit in time.
    pub fn notify<M: Protocol>(&self, message: &M) -> Call {
        Call::acknowledged(self.connection.clone(), Message::of(message, Way::Notify, self.scope))
    }

    /// Sends the peer a one-way message now or not at all, as
    /// [`Client::try_notify`](crate::Client::try_notify) does.
    ///
    /// # Errors
    ///
    /// [`Reason::SlowPeer`] if the message would have to wait for credit or for room; the others of
    /// [`notify`](Self::notify).
    pub fn try_notify<M: Protocol>(&self, message: &M) -> Result<(), CallError<NoError>> {
        call::offer(&*self.connection, message, self.scope.as_ref(), || Reason::Gone)
    }
}

impl Route for Connected {
    fn first(&self) -> Option<&Link> {
        self.link.as_deref()
    }

    fn open(&self) -> Option<&Link> {
        self.first().filter(|link| !link.is_forked())
    }

    fn ready(&self) -> Ready<'_> {
        match self.first() {
            Some(link) if link.is_forked() => Ready::Refused(Reason::Forked),
            Some(link) => Ready::First(link),
            None => Ready::Refused(Reason::NotSupported(CLASSIC)),
        }
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn later(self: Arc<Self>, _: Message) -> Later {
        // Never asked for: there is a way, or there is none.
        let none = CallError::NotSent(Reason::NotSupported(CLASSIC));
        Box::pin(std::future::ready(Err(Unanswered::Here(none))))
    }
}

const CLASSIC: &str = "the peer speaks the classic wire, on which only clients send messages";

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
