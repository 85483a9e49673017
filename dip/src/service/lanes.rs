//! Who waits for whom: ordered handlers share a lane.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use uuid::Uuid;

/// Handlers in one lane wait for each other, first in, first out.
pub(crate) type Lane = Arc<tokio::sync::Mutex<()>>;

/// The lanes that more than one connection can share.
#[derive(Default)]
pub(crate) struct Lanes {
    server: Lane,
    clients: Mutex<HashMap<Option<Uuid>, Weak<tokio::sync::Mutex<()>>>>,
}

impl Lanes {
    /// The one lane of the server.
    pub(crate) fn of_server(&self) -> Lane {
        self.server.clone()
    }

    /// The lane of all connections that claim this id, or claim none.
    pub(crate) fn of_client(&self, id: Option<Uuid>) -> Lane {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = clients.get(&id).and_then(Weak::upgrade) {
            return lane;
        }
        // Ids come and go; the lanes that nobody waits in any more go when the map would grow.
        if clients.len() == clients.capacity() {
            clients.retain(|_, lane| lane.strong_count() > 0);
        }
        let lane = Lane::default();
        clients.insert(id, Arc::downgrade(&lane));
        lane
    }
}
