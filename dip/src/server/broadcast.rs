//! One message to all peers.

use std::time::{Duration, Instant};

use super::Server;
use crate::call::{Called, Message, Way};
use crate::error::{Error, Reason, Result};
use crate::limits;
use crate::link::Departure;
use crate::peer::Peer;
use crate::protocol::Protocol;

/// What a broadcast does with a peer that has no room for one more message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Slow {
    /// It does not get this one.
    Skip,
    /// Its connection is closed.
    Close,
    /// It is waited for, but no longer than this for all together; then it is skipped.
    Wait(Duration),
}

/// What became of a broadcast.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Broadcast {
    /// Peers that are sent the message.
    pub queued: usize,
    /// Peers that are not: too slow, gone meanwhile, of another version of the message, or on the
    /// classic wire, which cannot carry it.
    pub skipped: usize,
}

impl Server {
    /// Sends a one-way message to all peers. It is encoded once.
    ///
    /// # Errors
    ///
    /// [`Error::NotSent`] when the message does not encode or is too long for its type.
    ///
    /// # Cancel safety
    ///
    /// With [`Slow::Wait`], a future that is dropped has reached those peers that had room.
    pub async fn broadcast<M: Protocol>(&self, message: &M, slow: Slow) -> Result<Broadcast> {
        // The message itself is not kept across an await.
        let message = Message::of(message, Way::Notify, None).map_err(Error::NotSent)?;
        let (mut done, mut waiting) = (Broadcast::default(), Vec::new());
        let until = match slow {
            Slow::Wait(time) => limits::end(Instant::now(), time),
            Slow::Skip | Slow::Close => Instant::now(),
        };
        for peer in self.peers() {
            match offer(&peer, &message) {
                Offered::Taken => done.queued += 1,
                Offered::Never => done.skipped += 1,
                Offered::Full => match slow {
                    Slow::Skip => done.skipped += 1,
                    Slow::Close => {
                        done.skipped += 1;
                        peer.link().into_iter().for_each(|link| link.cut());
                    }
                    Slow::Wait(_) => match wait(&peer, &message, until) {
                        Ok(called) => waiting.push(called),
                        Err(_) => done.skipped += 1,
                    },
                },
            }
        }
        for called in waiting {
            match called.await {
                Ok(_) => done.queued += 1,
                Err(_) => done.skipped += 1,
            }
        }
        Ok(done)
    }
}

enum Offered {
    Taken,
    /// It has no room now.
    Full,
    /// It cannot be sent this message.
    Never,
}

fn offer(peer: &Peer, message: &Message) -> Offered {
    let Some(link) = peer.link() else { return Offered::Never };
    if link.differs(message.mtype) || !link.is_open() || !link.takes(message.body.len()) {
        return Offered::Never;
    }
    let departure =
        Departure { mtype: message.mtype, body: message.body.body(), deadline: None, scope: None };
    if link.try_notify(departure) { Offered::Taken } else { Offered::Full }
}

fn wait(peer: &Peer, message: &Message, until: Instant) -> Result<Called, Reason> {
    let left = until.saturating_duration_since(Instant::now());
    let link = peer.link().ok_or(Reason::Disconnected)?.clone();
    Called::begin(link, message, left)
}
