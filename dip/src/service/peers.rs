//! The peers that are connected now, and who is told when they come and go.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::CloseReason;
use crate::guard::guarded;
use crate::peer::{Peer, PeerId};

/// The connected peers of a server.
#[derive(Default)]
pub(crate) struct Peers {
    state: Mutex<State>,
    hooks: Hooks,
}

#[derive(Default)]
struct State {
    peers: BTreeMap<PeerId, Peer>,
    /// How many connections a client has.
    clients: HashMap<Client, usize>,
}

/// What dip takes for one client: all connections that claim one id from one process.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Client {
    id: Uuid,
    pid: Option<NonZeroU32>,
}

/// A client whose last connection has closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientGone {
    /// The id that its connections claimed.
    pub id: Uuid,
    /// Its process; `None` over TCP.
    pub pid: Option<NonZeroU32>,
}

/// Who is told.
#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) connect: Option<Box<dyn Fn(Peer) + Send + Sync>>,
    pub(crate) disconnect: Option<Box<dyn Fn(Peer, CloseReason) + Send + Sync>>,
    pub(crate) client_gone: Option<Box<dyn Fn(ClientGone) + Send + Sync>>,
}

impl Peers {
    pub(super) fn new(hooks: Hooks) -> Self {
        Self { state: Mutex::default(), hooks }
    }

    /// A connection is ready for messages.
    pub(crate) fn join(&self, peer: &Peer) {
        self.lock().put(peer.clone());
        if let Some(hook) = &self.hooks.connect {
            _ = guarded(|| hook(peer.clone()), "on_connect");
        }
    }

    /// A peer claims another id.
    pub(crate) fn rename(&self, peer: &Peer) {
        let mut state = self.lock();
        state.take(peer.id());
        state.put(peer.clone());
    }

    /// A connection has closed.
    pub(crate) fn leave(&self, id: PeerId, reason: CloseReason) {
        let Some((peer, gone)) = self.lock().take(id) else { return };
        if let Some(hook) = &self.hooks.disconnect {
            _ = guarded(|| hook(peer, reason), "on_disconnect");
        }
        if let (Some(hook), Some(Client { id, pid })) = (&self.hooks.client_gone, gone) {
            _ = guarded(|| hook(ClientGone { id, pid }), "on_client_gone");
        }
    }

    /// All of them, in the order in which they came.
    pub(crate) fn all(&self) -> Vec<Peer> {
        self.lock().peers.values().cloned().collect()
    }

    pub(crate) fn find(&self, id: PeerId) -> Option<Peer> {
        self.lock().peers.get(&id).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn put(&mut self, peer: Peer) {
        if let Some(client) = Client::of(&peer) {
            *self.clients.entry(client).or_default() += 1;
        }
        self.peers.insert(peer.id(), peer);
    }

    /// The peer, and its client if this was its last connection.
    fn take(&mut self, id: PeerId) -> Option<(Peer, Option<Client>)> {
        let peer = self.peers.remove(&id)?;
        let gone = Client::of(&peer).filter(|client| {
            let left = self.clients.get_mut(client).map_or(0, |count| {
                *count -= 1;
                *count
            });
            left == 0 && self.clients.remove(client).is_some()
        });
        Some((peer, gone))
    }
}

impl Client {
    fn of(peer: &Peer) -> Option<Self> {
        peer.client_id().map(|id| Self { id, pid: peer.pid() })
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}
