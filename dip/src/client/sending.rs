//! A message on its way.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use super::Shared;
use crate::codec::{BodyMut, EncodeError};
use crate::error::{CallError, Reason};
use crate::mtype::Mtype;
use crate::pool::{DialError, Ended, Frame, Unleased};
use crate::protocol::NoError;
use crate::session::reply::QUIET;
use crate::transport::ConnectError;

/// A message on its way: what [`Client::send`](crate::Client::send) and its like return.
///
/// Nothing is sent before the first poll, and the time runs from then on. `E` is the error that the
/// message declares; a classic server cannot reply it.
///
/// # Cancel safety
///
/// A future that is dropped gives the message up. It may have been handled if the server had got
/// the whole of it; its connection is closed, so its reply cannot be taken for another one.
#[must_use = "nothing is sent until the future is awaited"]
pub struct Sending<E = NoError> {
    state: State,
    error: PhantomData<fn() -> E>,
}

type Outcome = Result<(), CallError<NoError>>;

enum State {
    Begun { client: Arc<Shared>, frame: Result<Frame, Reason>, timeout: Duration },
    UnderWay { sending: Pin<Box<dyn Future<Output = Outcome> + Send>>, process: u32 },
    Over,
}

impl<E> Sending<E> {
    pub(super) fn new(
        client: Arc<Shared>,
        frame: Result<Frame, Reason>,
        timeout: Duration,
    ) -> Self {
        Self { state: State::Begun { client, frame, timeout }, error: PhantomData }
    }

    #[cfg(test)]
    pub(super) fn pretend_forked(&mut self) {
        if let State::UnderWay { process, .. } = &mut self.state {
            *process += 1;
        }
    }

    /// Gives this message its own time, from the first poll to the reply; afterwards it has no
    /// effect.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use dip::builtin::Stdout;
    ///
    /// # async fn example(client: dip::Client) -> dip::Result<()> {
    /// client.send(&Stdout("now or never".into())).timeout(Duration::from_millis(100)).await?;
    /// # Ok(()) }
    /// ```
    pub fn timeout(mut self, time: Duration) -> Self {
        if let State::Begun { timeout, .. } = &mut self.state {
            *timeout = time;
        }
        self
    }
}

impl<E> Future for Sending<E> {
    type Output = Result<(), CallError<E>>;

    /// # Panics
    ///
    /// When it has ended before, and outside of a tokio runtime.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let begun = matches!(self.state, State::UnderWay { .. });
        self.state = match std::mem::replace(&mut self.state, State::Over) {
            State::Begun { client, frame, timeout } => {
                let process = client.process;
                State::UnderWay { sending: Box::pin(send(client, frame, timeout)), process }
            }
            state => state,
        };
        let State::UnderWay { sending, process } = &mut self.state else {
            panic!("a `Sending` was polled after it had ended")
        };
        let outcome = if begun && *process != std::process::id() {
            // The reply belongs to the process that sent the message.
            Err(CallError::ConnectionLost)
        } else {
            ready!(sending.as_mut().poll(cx))
        };
        self.state = State::Over;
        Poll::Ready(outcome.map_err(CallError::widen))
    }
}

async fn send(client: Arc<Shared>, frame: Result<Frame, Reason>, timeout: Duration) -> Outcome {
    let frame = frame.map_err(CallError::NotSent)?;
    client.check().map_err(CallError::NotSent)?;
    let deadline = after(timeout);
    let mut lease = client.pool.acquire(deadline).await.map_err(unleased)?;
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
            CallError::NotSent(Reason::IdRefused(remote))
        }
    }
}

/// The moment when this time is over, or one that nobody lives to see.
pub(super) fn after(time: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    Instant::now() + time.min(CENTURY)
}

/// The frame of a message that `encode` writes.
pub(super) fn encode(
    mtype: Mtype,
    limit: Option<u32>,
    encode: impl FnOnce(&mut BodyMut<'_>) -> Result<(), EncodeError>,
) -> Result<Frame, Reason> {
    let mtype = byte(mtype)?;
    let limit = in_memory(limit.unwrap_or(u32::MAX));
    let mut out = Vec::new();
    let mut body = BodyMut::new(&mut out, limit);
    encode(&mut body).map_err(Reason::Encode)?;
    let size = body.len();
    if size > limit {
        return Err(Reason::TooLarge { size, limit });
    }
    frame(mtype, out.into())
}

/// The frame of a message whose body is there.
pub(super) fn raw(mtype: Mtype, body: Bytes) -> Result<Frame, Reason> {
    frame(byte(mtype)?, body)
}

fn byte(mtype: Mtype) -> Result<u8, Reason> {
    mtype.as_byte().ok_or(Reason::NotSupported(NO_NAMES))
}

const NO_NAMES: &str =
    "the connection speaks the classic wire, on which a type is a byte, not a name";

fn frame(mtype: u8, body: Bytes) -> Result<Frame, Reason> {
    let size = body.len();
    if size == 0 {
        return Err(Reason::EmptyBody);
    }
    let limit = in_memory(u32::MAX);
    Frame::new(mtype, body).ok_or(Reason::TooLarge { size, limit })
}

/// No body in memory is longer than an address can say.
fn in_memory(len: u32) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

/// What stage it is in: messages are not for logs.
impl<E> fmt::Debug for Sending<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Begun { .. } => "Sending(not polled yet)",
            State::UnderWay { .. } => "Sending(under way)",
            State::Over => "Sending(over)",
        })
    }
}
