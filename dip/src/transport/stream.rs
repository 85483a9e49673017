//! The bytes between two processes.

use std::io::{self, IoSlice};
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, send, sendmsg};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::credentials::Credentials;

/// A connected socket.
///
/// Writing to a peer that has gone is an error of kind `BrokenPipe` and raises no `SIGPIPE`, which
/// would kill a host program that is not written in Rust: tokio's own writes can raise it.
#[derive(Debug)]
pub(crate) struct Stream {
    socket: Socket,
    credentials: Option<Credentials>,
    process: u32,
}

#[derive(Debug)]
enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
    /// Only while it is dropped.
    Gone,
}

impl Stream {
    /// A stream whose peer the kernel has named.
    pub(super) fn unix(socket: UnixStream) -> io::Result<Self> {
        let credentials = Some(Credentials::of_peer(&socket)?);
        Ok(Self { socket: Socket::Unix(socket), credentials, process: std::process::id() })
    }

    /// A stream that sends small messages at once.
    pub(super) fn tcp(socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        Ok(Self { socket: Socket::Tcp(socket), credentials: None, process: std::process::id() })
    }

    /// Who is at the other end; `None` on TCP.
    pub(crate) fn credentials(&self) -> Option<Credentials> {
        self.credentials
    }

    /// Whether the peer has neither sent anything that was not read, nor left, nor is broken.
    ///
    /// The kernel is asked: what tokio knows of the socket can be older than what has happened.
    pub(crate) fn is_quiet(&self) -> bool {
        let mut byte = [0; 1];
        let mut peek = |socket: BorrowedFd<'_>| {
            recv(socket, &mut byte[..], RecvFlags::PEEK | RecvFlags::DONTWAIT).map(drop)
        };
        let peeked = match &self.socket {
            Socket::Unix(socket) => peek(socket.as_fd()),
            Socket::Tcp(socket) => peek(socket.as_fd()),
            Socket::Gone => Ok(()),
        };
        peeked == Err(Errno::AGAIN)
    }

    /// Writes with `write` once the socket takes bytes.
    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(BorrowedFd<'_>) -> rustix::io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let written = match &self.socket {
                Socket::Unix(socket) => {
                    ready!(socket.poll_write_ready(cx))?;
                    socket.try_io(Interest::WRITABLE, || Ok(write(socket.as_fd())?))
                }
                Socket::Tcp(socket) => {
                    ready!(socket.poll_write_ready(cx))?;
                    socket.try_io(Interest::WRITABLE, || Ok(write(socket.as_fd())?))
                }
                Socket::Gone => Err(gone()),
            };
            match written {
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                    ) => {}
                written => return Poll::Ready(written),
            }
        }
    }
}

fn gone() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

/// In a child that was forked off, only the child's copy is closed.
///
/// Dropping tokio's socket would take it out of the epoll set, which both processes share: the
/// parent would never hear of its socket again.
impl Drop for Stream {
    fn drop(&mut self) {
        if self.process == std::process::id() {
            return;
        }
        let socket = mem::replace(&mut self.socket, Socket::Gone);
        // A descriptor that cannot be closed is gone when the child is.
        let _ = match &socket {
            Socket::Unix(socket) => nix::unistd::close(socket.as_raw_fd()),
            Socket::Tcp(socket) => nix::unistd::close(socket.as_raw_fd()),
            Socket::Gone => Ok(()),
        };
        mem::forget(socket);
    }
}

/// Apple's systems have no such flag; there, the standard library and mio set `SO_NOSIGPIPE`.
#[cfg(target_vendor = "apple")]
const NO_SIGPIPE: SendFlags = SendFlags::empty();
#[cfg(not(target_vendor = "apple"))]
const NO_SIGPIPE: SendFlags = SendFlags::NOSIGNAL;

/// More slices than this in one call are an error of the kernel (`IOV_MAX`).
const MAX_SLICES: usize = 1024;

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Unix(socket) => Pin::new(socket).poll_read(cx, buf),
            Socket::Tcp(socket) => Pin::new(socket).poll_read(cx, buf),
            Socket::Gone => Poll::Ready(Err(gone())),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, |socket| send(socket, buf, NO_SIGPIPE))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let slices = &slices[..slices.len().min(MAX_SLICES)];
        self.poll_send(cx, |socket| {
            sendmsg(socket, slices, &mut SendAncillaryBuffer::default(), NO_SIGPIPE)
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Unix(socket) => Pin::new(socket).poll_shutdown(cx),
            Socket::Tcp(socket) => Pin::new(socket).poll_shutdown(cx),
            Socket::Gone => Poll::Ready(Err(gone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn pair() -> (Stream, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Stream::unix(ours).unwrap(), theirs)
    }

    #[tokio::test]
    async fn a_stream_is_quiet_until_the_peer_sends_or_leaves() {
        let (mut stream, mut peer) = pair();
        assert!(stream.is_quiet());
        peer.write_all(b"x").await.unwrap();
        assert!(!stream.is_quiet());
        stream.read_u8().await.unwrap();
        assert!(stream.is_quiet());
        drop(peer);
        assert!(!stream.is_quiet());
    }

    #[tokio::test]
    async fn a_child_closes_its_copy() {
        let (mut stream, mut peer) = pair();
        stream.process += 1;
        drop(stream);
        assert_eq!(peer.read(&mut [0]).await.unwrap(), 0);
    }
}
