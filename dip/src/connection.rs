//! A stream becomes a connection: on the wire that its first byte asks for.

pub(crate) mod classic;
mod first;
mod handshake;
pub(crate) mod native;
mod parting;

use std::sync::Arc;

use crate::peer::Connected;
use crate::service::{CloseReason, Service};
use crate::transport::Stream;

pub(crate) use handshake::{Greeted, Unwelcome, fields, greet};
pub(crate) use parting::turn_away;

use first::First;

/// Serves a stream that was accepted until its end.
pub(crate) async fn serve(service: Arc<Service>, mut stream: Stream, connected: Connected) {
    let id = connected.id;
    // What a connection needs at its beginning is not kept as long as it lives.
    let reason = match Box::pin(First::read(&service, &mut stream)).await {
        Err(reason) => reason,
        Ok(First { bytes, begun }) if bytes.first() == Some(&HELLO) && service.wires().native => {
            let welcome = handshake::welcome(service.clone(), stream, connected, bytes, begun);
            match Box::pin(welcome).await {
                Ok(connection) => native(&service, connection).await,
                Err(reason) => reason,
            }
        }
        Ok(_) if !service.wires().classic => {
            first::turn_away(stream, "this server does not speak the classic wire").await;
            CloseReason::Denied
        }
        Ok(First { bytes, begun }) => {
            let peer = connected.id;
            let connection = classic::Connection::new(service.clone(), stream, connected, begun);
            let reason = Box::pin(connection.run(&bytes)).await;
            service.peers().leave(peer, reason);
            reason
        }
    };
    let peer = id.0;
    match reason {
        CloseReason::PeerClosed | CloseReason::ShuttingDown | CloseReason::Closed => {
            tracing::debug!(peer, ?reason, "connection closed");
        }
        _ => tracing::warn!(peer, ?reason, "connection closed"),
    }
    service.totals().closed(reason);
}

async fn native(service: &Service, connection: Box<native::Connection>) -> CloseReason {
    let peer = connection.peer().clone();
    service.peers().join(&peer);
    let reason = connection.run().await;
    service.peers().leave(peer.id(), reason);
    reason
}

/// The first byte of the native wire.
const HELLO: u8 = 0x05;
