//! The peers that are connected now, and who is told when they come and go.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use uuid::Uuid;

use super::CloseReason;
use crate::peer::{Peer, PeerId};
use crate::reply::guarded;

/// The connected peers of a server.
#[derive(Default)]
pub(crate) struct Peers {
    state: Mutex<State>,
    hooks: Hooks,
    /// Changes whenever a peer comes; whether none will come any more.
    over: watch::Sender<bool>,
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

/// A client that has no connection any more: the last one has closed, or claims another id now.
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
        Self { hooks, ..Self::default() }
    }

    /// A connection is ready for messages.
    pub(crate) fn join(&self, peer: &Peer) {
        self.lock().put(peer.clone());
        self.over.send_modify(|_| ());
        if let Some(hook) = &self.hooks.connect {
            _ = guarded(|| hook(peer.clone()), "on_connect");
        }
    }

    /// A peer claims an id, maybe instead of another one.
    pub(crate) fn rename(&self, peer: &Peer) {
        let mut state = self.lock();
        let before = state.put(peer.clone());
        let gone = before.and_then(|before| state.forget(&before));
        drop(state);
        self.tell_gone(gone);
    }

    /// A connection has closed.
    pub(crate) fn leave(&self, id: PeerId, reason: CloseReason) {
        let Some((peer, gone)) = self.lock().take(id) else { return };
        if let Some(hook) = &self.hooks.disconnect {
            _ = guarded(|| hook(peer, reason), "on_disconnect");
        }
        self.tell_gone(gone);
    }

    fn tell_gone(&self, gone: Option<Client>) {
        if let (Some(hook), Some(Client { id, pid })) = (&self.hooks.client_gone, gone) {
            _ = guarded(|| hook(ClientGone { id, pid }), "on_client_gone");
        }
    }

    /// All of them, in the order in which they came.
    pub(crate) fn all(&self) -> Vec<Peer> {
        self.lock().peers.values().cloned().collect()
    }

    /// All of them, once there are so many; `None` if there will not be.
    pub(crate) async fn at_least(&self, count: usize) -> Option<Vec<Peer>> {
        let mut news = self.over.subscribe();
        loop {
            // Before the look: who comes behind it is news.
            let over = *news.borrow_and_update();
            let all = self.all();
            if all.len() >= count {
                return Some(all);
            }
            if over {
                return None;
            }
            news.changed().await.ok()?;
        }
    }

    /// No peer will come any more.
    pub(super) fn end(&self) {
        self.over.send_replace(true);
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
    /// Adds a peer, or takes it for what it was before.
    fn put(&mut self, peer: Peer) -> Option<Peer> {
        if let Some(client) = Client::of(&peer) {
            *self.clients.entry(client).or_default() += 1;
        }
        self.peers.insert(peer.id(), peer)
    }

    /// The peer, and its client if this was its last connection.
    fn take(&mut self, id: PeerId) -> Option<(Peer, Option<Client>)> {
        let peer = self.peers.remove(&id)?;
        let gone = self.forget(&peer);
        Some((peer, gone))
    }

    /// Counts one connection less of this peer's client: the client, if it was the last one.
    fn forget(&mut self, peer: &Peer) -> Option<Client> {
        Client::of(peer).filter(|client| {
            let left = self.clients.get_mut(client).map_or(0, |count| {
                *count -= 1;
                *count
            });
            left == 0 && self.clients.remove(client).is_some()
        })
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
