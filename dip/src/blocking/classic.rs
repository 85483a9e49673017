//! A connection to a classic server: a message, its reply, the next message.

use std::io::{self, IoSlice};
use std::time::Instant;

use bytes::BufMut;
use uuid::Uuid;

use crate::call::Message;
use crate::client::{Unreached, classic_frame};
use crate::error::{CallError, Remote};
use crate::pool::{DialError, Ended, Frame, Unleased};
use crate::protocol::NoError;
use crate::session::reply::{Arrived, QUIET, Reply};
use crate::transport::{Address, ConnectError, Socket};
use crate::wire::classic::SET_CONNECTION_ID;

/// Good as long as nothing but `ok` came: a second reply would answer the next message.
pub(super) struct Connection {
    socket: Socket,
    ended: bool,
}

/// How a message ended.
pub(super) enum Sent {
    /// It was acknowledged, and with it this id, if it claims one.
    Acked(Option<Uuid>),
    Failed(CallError<NoError>),
    /// The connection broke before the whole message was out.
    Unsent,
}

impl Connection {
    /// Claims the id on a socket to the server at `address`.
    pub(super) fn over(
        socket: Socket,
        address: &Address,
        id: Option<Uuid>,
        deadline: Instant,
    ) -> Result<Self, Unreached> {
        let mut connection = Self { socket, ended: false };
        if let Some(id) = id {
            let refused = match connection.claim(id, deadline) {
                Ended::Acked => return Ok(connection),
                Ended::Refused(remote) => DialError::IdRefused(remote),
                Ended::Late => {
                    DialError::Connect(ConnectError::TimedOut { address: address.clone() })
                }
                Ended::Lost => {
                    let source = io::Error::new(
                        io::ErrorKind::ConnectionReset,
                        "the server closed the connection instead of accepting the client's id",
                    );
                    DialError::Connect(ConnectError::Io { address: address.clone(), source })
                }
            };
            return Err(Unleased::Undialed(refused).into());
        }
        Ok(connection)
    }

    /// Whether it carries one more message, as far as that can be seen now.
    pub(super) fn is_open(&self) -> bool {
        !self.ended && self.socket.is_quiet()
    }

    /// Sends a message and waits for its acknowledgement, by `deadline`.
    pub(super) fn send(&mut self, message: &Message, deadline: Instant) -> Sent {
        let frame = match classic_frame(message.clone()) {
            Ok(frame) => frame,
            Err(reason) => return Sent::Failed(CallError::NotSent(reason)),
        };
        let written = self.write(&frame, deadline);
        if let Ok(false) = written {
            self.ended = true;
            return Sent::Failed(CallError::Deadline { sent: false });
        }
        // Behind a write that failed there is only what the server had said before it left.
        let heard = if written.is_ok() { deadline } else { deadline.min(Instant::now() + QUIET) };
        let ended = self.reply(frame.mtype(), heard);
        self.ended = !matches!((&ended, &written), (Ended::Acked, Ok(_)));
        Sent::Failed(match (ended, written) {
            (Ended::Acked, Ok(_)) => return Sent::Acked(frame.claimed_id()),
            // A server may say why before it closes on a message that it has not read to its end.
            (Ended::Refused(remote), _) => CallError::Rejected(remote),
            (_, Err(_)) => return Sent::Unsent,
            (Ended::Late, Ok(_)) => CallError::Deadline { sent: true },
            (Ended::Lost, Ok(_)) => CallError::ConnectionLost,
        })
    }

    fn claim(&mut self, id: Uuid, deadline: Instant) -> Ended {
        match self.write(&Frame::claim(id), deadline) {
            Ok(false) => Ended::Late,
            // A server that turns us away may say why before it reads.
            _ => self.reply(SET_CONNECTION_ID, deadline),
        }
    }

    fn write(&mut self, frame: &Frame, deadline: Instant) -> io::Result<bool> {
        self.socket.write_all(&mut frame.parts().map(IoSlice::new), deadline)
    }

    fn reply(&mut self, mtype: u8, deadline: Instant) -> Ended {
        let mut reply = Reply::default();
        loop {
            match self.read(&mut reply, deadline) {
                Ok(None) => return Ended::Late,
                Ok(Some(0)) | Err(_) => return Ended::Lost,
                Ok(Some(_)) => {}
            }
            match reply.arrived() {
                Arrived::Nothing => {}
                Arrived::Ack => return Ended::Acked,
                Arrived::AckAndMore => {
                    tracing::warn!("the server sent more than `ok`; the connection is closed");
                    return Ended::Lost;
                }
                Arrived::Text | Arrived::FullText => break,
            }
        }
        // What an error text says is clear from its beginning, so a deadline or a broken stream only
        // cuts it.
        while reply.arrived() == Arrived::Text {
            let quiet = (Instant::now() + QUIET).min(deadline);
            if !matches!(self.read(&mut reply, quiet), Ok(Some(1..))) {
                break;
            }
        }
        Ended::Refused(Remote::from_classic(mtype, reply.into_text()))
    }

    fn read(&mut self, reply: &mut Reply, deadline: Instant) -> io::Result<Option<usize>> {
        let mut bytes = [0; 1024];
        let mut room = reply.room();
        let most = room.remaining_mut().min(bytes.len());
        let read = self.socket.read(&mut bytes[..most], deadline)?;
        room.put_slice(&bytes[..read.unwrap_or(0)]);
        Ok(read)
    }
}
