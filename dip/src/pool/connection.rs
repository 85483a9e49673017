//! One connection to a classic server: a message, its reply, the next message.

use std::io;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::error::Remote;
use crate::session::reply::{Arrived, QUIET, Reply};
use crate::transport::{self, Access, Address, ConnectError, Stream};
use crate::wire::classic::{self, HEADER, SET_CONNECTION_ID};

/// A message as it is written.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    mtype: u8,
    header: [u8; HEADER],
    body: Bytes,
}

impl Frame {
    /// `None` when the body is longer than a frame can say.
    pub(crate) fn new(mtype: u8, body: Bytes) -> Option<Self> {
        let header = classic::header(mtype, u32::try_from(body.len()).ok()?);
        Some(Self { mtype, header, body })
    }

    fn claim(id: Uuid) -> Self {
        let body = Bytes::copy_from_slice(id.as_bytes());
        Self { mtype: SET_CONNECTION_ID, header: classic::header(SET_CONNECTION_ID, 16), body }
    }

    /// The id that this frame claims for its connection, if that is what it does.
    pub(crate) fn claimed_id(&self) -> Option<Uuid> {
        Uuid::from_slice(&self.body).ok().filter(|_| self.mtype == SET_CONNECTION_ID)
    }
}

/// How a message ended that was written whole.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It was acknowledged; the connection is good for the next one.
    Acked,
    /// The server said something else.
    Refused(Remote),
    /// No reply by the deadline.
    Late,
    /// The stream broke or ended, or what came is no reply.
    Lost,
}

/// Why there is no new connection.
#[derive(Debug)]
pub(crate) enum DialError {
    Connect(ConnectError),
    /// The server did not accept the id.
    IdRefused(Remote),
}

/// A connection to a classic server.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    id: Option<Uuid>,
}

impl Connection {
    /// Connects and claims the id.
    ///
    /// Cancel safe: a dial that is dropped closes its socket.
    pub(super) async fn dial(
        address: &Address,
        access: &Access,
        id: Option<Uuid>,
        deadline: Instant,
    ) -> Result<Self, DialError> {
        let stream =
            transport::connect(address, access, deadline).await.map_err(DialError::Connect)?;
        let mut connection = Self { stream, id };
        if let Some(id) = id {
            connection.claim(id, address, deadline).await?;
        }
        Ok(connection)
    }

    async fn claim(
        &mut self,
        id: Uuid,
        address: &Address,
        deadline: Instant,
    ) -> Result<(), DialError> {
        let written = timeout_at(deadline, self.write(&Frame::claim(id))).await;
        let outcome = match written {
            Err(_) => Outcome::Late,
            // A server that turns us away may say why before it reads.
            Ok(_) => self.reply(deadline).await,
        };
        Err(match outcome {
            Outcome::Acked => return Ok(()),
            Outcome::Refused(remote) => DialError::IdRefused(remote),
            Outcome::Late => {
                DialError::Connect(ConnectError::TimedOut { address: address.clone() })
            }
            Outcome::Lost => {
                let source = io::Error::new(
                    io::ErrorKind::ConnectionReset,
                    "the server closed the connection instead of accepting the client's id",
                );
                DialError::Connect(ConnectError::Io { address: address.clone(), source })
            }
        })
    }

    /// The id that the server knows this connection by.
    pub(super) fn id(&self) -> Option<Uuid> {
        self.id
    }

    /// The server has accepted another id.
    pub(super) fn set_id(&mut self, id: Option<Uuid>) {
        self.id = id;
    }

    /// Whether an idle connection is still good.
    pub(super) fn is_quiet(&self) -> bool {
        self.stream.is_quiet()
    }

    /// Hands a message to the system. The server handles it only if that is done to the last byte.
    ///
    /// Not cancel safe: a part may have been written, and the connection must be closed.
    pub(crate) async fn write(&mut self, frame: &Frame) -> io::Result<()> {
        let mut bytes = Buf::chain(&frame.header[..], &frame.body[..]);
        self.stream.write_all_buf(&mut bytes).await
    }

    /// Waits for the reply to the message that was written.
    ///
    /// After anything but [`Outcome::Acked`] the connection must be closed: another reply may be
    /// under way. Not cancel safe, for the same reason.
    pub(crate) async fn reply(&mut self, deadline: Instant) -> Outcome {
        let mut reply = Reply::default();
        loop {
            match timeout_at(deadline, self.stream.read_buf(&mut reply.room())).await {
                Err(_) => return Outcome::Late,
                Ok(Ok(0) | Err(_)) => return Outcome::Lost,
                Ok(Ok(_)) => {}
            }
            match reply.arrived() {
                Arrived::Nothing => {}
                Arrived::Ack => return Outcome::Acked,
                Arrived::AckAndMore => {
                    tracing::warn!("the server sent more than `ok`; the connection is closed");
                    return Outcome::Lost;
                }
                Arrived::Text | Arrived::FullText => break,
            }
        }
        self.read_rest(&mut reply, deadline).await;
        Outcome::Refused(Remote::from_classic(reply.into_text()))
    }

    /// Reads an error text to its end. What it says is clear from its beginning, so a deadline or a
    /// broken stream only cuts it.
    async fn read_rest(&mut self, reply: &mut Reply, deadline: Instant) {
        while reply.arrived() != Arrived::FullText {
            let quiet = (Instant::now() + QUIET).min(deadline);
            match timeout_at(quiet, self.stream.read_buf(&mut reply.room())).await {
                Ok(Ok(n)) if n > 0 => {}
                _ => break,
            }
        }
    }
}
