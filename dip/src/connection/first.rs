//! The first bytes of a connection.

use std::pin::pin;
use std::time::Instant;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::parting::{self, LINGER};
use crate::limits;
use crate::service::{CloseReason, Service, Stage};
use crate::transport::Stream;
use crate::wire::classic;

/// What a peer says first is seldom longer.
const ROOM: usize = 4 << 10;

/// What a peer said first, and since when it could have.
pub(super) struct First {
    pub(super) bytes: BytesMut,
    pub(super) begun: Instant,
}

impl First {
    pub(super) async fn read(service: &Service, stream: &mut Stream) -> Result<Self, CloseReason> {
        let begun = Instant::now();
        let mut bytes = BytesMut::with_capacity(ROOM);
        let late = limits::end(begun, service.limits().handshake);
        let mut stage = service.stage();
        let mut evicted = pin!(service.incomplete().evicted());
        let reason = tokio::select! {
            biased;
            read = stream.read_buf(&mut bytes) => match read {
                Ok(0) => return Err(CloseReason::PeerClosed),
                Ok(_) => return Ok(Self { bytes, begun }),
                Err(_) => return Err(CloseReason::Lost),
            },
            _ = stage.wait_for(|stage| *stage >= Stage::Draining) => {
                return Err(CloseReason::ShuttingDown);
            }
            () = tokio::time::sleep_until(late.into()) => CloseReason::HandshakeTimeout,
            () = &mut evicted => CloseReason::Evicted,
        };
        let text = match reason {
            CloseReason::Evicted => "too many connections say nothing",
            _ => "no frame in time",
        };
        say(stream, text).await;
        Err(reason)
    }
}

/// Tells a classic peer why it is not served.
pub(super) async fn turn_away(stream: Stream, text: &str) {
    parting::turn_away(stream, classic::error_text("ConnectionError", text).as_bytes()).await;
}

async fn say(stream: &mut Stream, text: &str) {
    let text = classic::error_text("ConnectionError", text);
    let said = async {
        _ = stream.write_all(text.as_bytes()).await;
        _ = stream.shutdown().await;
    };
    _ = tokio::time::timeout(LINGER, said).await;
}
