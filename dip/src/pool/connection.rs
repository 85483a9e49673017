//! One connection to a classic server: a message, its reply, the next message.

use std::io;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::buffer::Buffer;
use crate::codec::OwnedBody;
use crate::error::Remote;
use crate::session::reply::{Arrived, QUIET, Reply};
use crate::transport::{self, Access, Address, ConnectError, Stream};
use crate::wire::classic::{self, HEADER, SET_CONNECTION_ID};

/// A message as it is written.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    mtype: u8,
    /// The header, and a short body behind it: to write one piece costs less than to write two.
    front: Buffer,
    /// A long body.
    rest: Bytes,
}

/// Longer bodies are not moved behind their headers, in bytes.
const SHORT: usize = 4 << 10;

impl Frame {
    /// `None` when the body is longer than a frame can say.
    pub(crate) fn new(mtype: u8, body: OwnedBody) -> Option<Self> {
        let header = classic::header(mtype, u32::try_from(body.len()).ok()?);
        let (front, rest) = match body {
            OwnedBody::Small(mut body) if body.len() <= SHORT => {
                body.splice(..0, header);
                (body, Bytes::new())
            }
            body => (Buffer::of(&header), body.into_bytes()),
        };
        Some(Self { mtype, front, rest })
    }

    pub(crate) fn claim(id: Uuid) -> Self {
        let mut front = Buffer::of(&classic::header(SET_CONNECTION_ID, 16));
        front.extend_from_slice(id.as_bytes());
        Self { mtype: SET_CONNECTION_ID, front, rest: Bytes::new() }
    }

    /// The bytes of it, in two parts.
    pub(crate) fn parts(&self) -> [&[u8]; 2] {
        [&self.front, &self.rest]
    }

    /// Which message it is.
    pub(crate) fn mtype(&self) -> u8 {
        self.mtype
    }

    /// The id that this frame claims for its connection, if that is what it does.
    pub(crate) fn claimed_id(&self) -> Option<Uuid> {
        let body = if self.rest.is_empty() { &self.front[HEADER..] } else { &self.rest };
        Uuid::from_slice(body).ok().filter(|_| self.mtype == SET_CONNECTION_ID)
    }
}

/// How a message ended that was written whole.
#[derive(Debug)]
pub(crate) enum Ended {
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
        Self::over(stream, address, id, deadline).await
    }

    /// Claims the id on a stream to a classic server at `address`.
    pub(super) async fn over(
        stream: Stream,
        address: &Address,
        id: Option<Uuid>,
        deadline: Instant,
    ) -> Result<Self, DialError> {
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
            Err(_) => Ended::Late,
            // A server that turns us away may say why before it reads.
            Ok(_) => self.reply(SET_CONNECTION_ID, deadline).await,
        };
        Err(match outcome {
            Ended::Acked => return Ok(()),
            Ended::Refused(remote) => DialError::IdRefused(remote),
            Ended::Late => DialError::Connect(ConnectError::TimedOut { address: address.clone() }),
            Ended::Lost => {
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
    pub(super) fn is_quiet(&mut self) -> bool {
        self.stream.is_quiet()
    }

    /// Hands a message to the system. The server handles it only if that is done to the last byte.
    ///
    /// Not cancel safe: a part may have been written, and the connection must be closed.
    pub(crate) async fn write(&mut self, frame: &Frame) -> io::Result<()> {
        let [front, rest] = frame.parts();
        if rest.is_empty() {
            return self.stream.write_all(front).await;
        }
        self.stream.write_all_buf(&mut Buf::chain(front, rest)).await
    }

    /// Waits for the reply to the message of this type that was written.
    ///
    /// After anything but [`Ended::Acked`] the connection must be closed: another reply may be
    /// under way. Not cancel safe, for the same reason.
    pub(crate) async fn reply(&mut self, mtype: u8, deadline: Instant) -> Ended {
        read_reply(&mut self.stream, mtype, deadline).await
    }
}

async fn read_reply(stream: &mut (impl AsyncRead + Unpin), mtype: u8, deadline: Instant) -> Ended {
    let mut reply = Reply::default();
    loop {
        match timeout_at(deadline, stream.read_buf(&mut reply.room())).await {
            Err(_) => return Ended::Late,
            Ok(Ok(0) | Err(_)) => return Ended::Lost,
            Ok(Ok(_)) => {}
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
        match timeout_at(quiet, stream.read_buf(&mut reply.room())).await {
            Ok(Ok(n)) if n > 0 => {}
            _ => break,
        }
    }
    Ended::Refused(Remote::from_classic(mtype, reply.into_text()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::duplex;
    use tokio::time::sleep;

    use super::*;

    #[test]
    fn a_frame_knows_the_id_that_it_claims_wherever_its_body_is() {
        let id = Uuid::from_bytes([7; 16]);
        let shared = OwnedBody::from(Bytes::copy_from_slice(id.as_bytes()));
        let small = OwnedBody::from(Buffer::of(id.as_bytes()));
        for body in [shared, small] {
            let frame = Frame::new(SET_CONNECTION_ID, body.clone()).unwrap();
            assert_eq!(frame.claimed_id(), Some(id));
            assert_eq!(frame.parts().concat(), Frame::claim(id).parts().concat());
            assert_eq!(Frame::new(b'O', body).unwrap().claimed_id(), None);
        }
        assert_eq!(Frame::claim(id).claimed_id(), Some(id));
    }

    const MS: Duration = Duration::from_millis(1);

    /// What comes of a reply whose pieces arrive one by one, each so many milliseconds after the
    /// one before, and when. The deadline is one second; the stream ends if the last piece is empty.
    async fn read(pieces: &'static [(u32, &'static [u8])]) -> (Ended, Duration) {
        let (mut client, mut server) = duplex(1 << 20);
        let begun = Instant::now();
        tokio::spawn(async move {
            for (wait, piece) in pieces {
                sleep(MS * *wait).await;
                if piece.is_empty() {
                    return;
                }
                server.write_all(piece).await.unwrap();
            }
            sleep(MS * 10_000).await;
        });
        (read_reply(&mut client, b'O', begun + MS * 1000).await, begun.elapsed())
    }

    fn text(ended: Ended) -> String {
        match ended {
            Ended::Refused(remote) => remote.text,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn ok_may_come_in_two_pieces_however_far_apart() {
        assert!(matches!(read(&[(0, b"ok")]).await.0, Ended::Acked));
        assert!(matches!(read(&[(5, b"o"), (900, b"k")]).await.0, Ended::Acked));
    }

    #[tokio::test(start_paused = true)]
    async fn half_an_ok_is_too_late_or_lost() {
        let (ended, took) = read(&[(5, b"o")]).await;
        assert!(matches!(ended, Ended::Late));
        assert_eq!(took, MS * 1000);
        let (ended, took) = read(&[(5, b"o"), (5, b"")]).await;
        assert!(matches!(ended, Ended::Lost));
        assert_eq!(took, MS * 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_text_ends_after_50_quiet_milliseconds() {
        let (ended, took) = read(&[(0, b"E("), (49, b"1"), (49, b")"), (60, b"late")]).await;
        assert_eq!(text(ended), "E(1)");
        assert!((MS * 148..MS * 151).contains(&took), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_text_ends_with_its_stream() {
        let (ended, took) = read(&[(0, b"E("), (10, b"2)"), (10, b"")]).await;
        assert_eq!(text(ended), "E(2)");
        assert_eq!(took, MS * 20);
    }

    #[tokio::test(start_paused = true)]
    async fn a_text_without_end_is_cut_at_the_deadline() {
        const DOTS: &[(u32, &[u8])] = &[(40, b"." as &[u8]); 100];
        let (ended, took) = read(DOTS).await;
        assert_eq!(took, MS * 1000);
        assert!((23..=25).contains(&text(ended).len()));
    }
}
