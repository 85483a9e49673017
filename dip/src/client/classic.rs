//! A message to a classic server: one connection of the pool, one reply.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::call::{Message, Way};
use crate::codec::OwnedBody;
use crate::error::{CallError, Reason};
use crate::pool::{DialError, Ended, Frame, Pool, Unleased};
use crate::protocol::NoError;
use crate::session::reply::QUIET;
use crate::transport::ConnectError;

type Outcome = Result<(), CallError<NoError>>;

/// Sends a message and waits for its acknowledgement.
pub(super) async fn send(pool: &Arc<Pool>, message: Message, deadline: Instant) -> Outcome {
    let frame = frame(message).map_err(CallError::NotSent)?;
    let mut lease = pool.acquire(deadline).await.map_err(unleased)?;
    loop {
        let written = timeout_at(deadline, lease.connection().write(&frame)).await;
        let Ok(written) = written else { return Err(CallError::Deadline { sent: false }) };
        // Behind a write that failed there is only what the server had said before it left.
        let heard = if written.is_ok() { deadline } else { deadline.min(Instant::now() + QUIET) };
        return match (lease.connection().reply(frame.mtype(), heard).await, written) {
            (Ended::Acked, Ok(())) => {
                lease.keep(frame.claimed_id());
                Ok(())
            }
            // A server may say why before it closes on a message that it has not read to its end.
            (Ended::Refused(remote), _) => Err(CallError::Rejected(remote)),
            (_, Err(_)) if lease.is_reused() => {
                // The server has closed it since it was looked at, and will not handle half a frame.
                lease.renew(deadline).await.map_err(unleased)?;
                continue;
            }
            (_, Err(_)) => Err(CallError::NotSent(Reason::Disconnected)),
            (Ended::Late, Ok(())) => Err(CallError::Deadline { sent: true }),
            (Ended::Lost, Ok(())) => Err(CallError::ConnectionLost),
        };
    }
}

fn unleased(error: Unleased) -> CallError<NoError> {
    match error {
        Unleased::Busy | Unleased::Undialed(DialError::Connect(ConnectError::TimedOut { .. })) => {
            CallError::Deadline { sent: false }
        }
        Unleased::Closed => CallError::NotSent(Reason::Closed),
        Unleased::Undialed(DialError::Connect(error)) => CallError::NotSent(Reason::Connect(error)),
        Unleased::Undialed(DialError::IdRefused(remote)) => {
            CallError::NotSent(Reason::Refused(remote))
        }
    }
}

/// The frame of a message that this wire can carry.
pub(crate) fn frame(message: Message) -> Result<Frame, Reason> {
    let Message { mtype, body, way, acknowledged, .. } = message;
    let why = match mtype.as_byte() {
        _ if way == Way::Notify => NO_NOTICES,
        _ if !acknowledged => NO_REPLIES,
        None => NO_NAMES,
        Some(mtype) => return frame_of(mtype, body),
    };
    Err(Reason::NotSupported(why))
}

const NO_NAMES: &str =
    "the connection speaks the classic wire, on which a type is a byte, not a name";
const NO_REPLIES: &str =
    "the connection speaks the classic wire, on which messages are acknowledged, not replied to";
pub(super) const NO_NOTICES: &str =
    "the connection speaks the classic wire, on which every message is acknowledged; use `send`";

fn frame_of(mtype: u8, body: OwnedBody) -> Result<Frame, Reason> {
    let size = body.len();
    if size == 0 {
        return Err(Reason::EmptyBody);
    }
    let limit = usize::try_from(u32::MAX).unwrap_or(usize::MAX);
    Frame::new(mtype, body).ok_or(Reason::TooLarge { size, limit })
}

/// The moment when this time is over, or one that nobody lives to see.
pub(super) fn after(time: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    Instant::now() + time.min(CENTURY)
}
