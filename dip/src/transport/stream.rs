//! The bytes between two processes.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::net::{SendAncillaryBuffer, SendFlags, send, sendmsg};
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
}

#[derive(Debug)]
enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Stream {
    /// A stream whose peer the kernel has named.
    pub(super) fn unix(socket: UnixStream) -> io::Result<Self> {
        let credentials = Some(Credentials::of_peer(&socket)?);
        Ok(Self { socket: Socket::Unix(socket), credentials })
    }

    /// A stream that sends small messages at once.
    pub(super) fn tcp(socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        Ok(Self { socket: Socket::Tcp(socket), credentials: None })
    }

    /// Who is at the other end; `None` on TCP.
    pub(crate) fn credentials(&self) -> Option<Credentials> {
        self.credentials
    }

    /// Whether this is a Unix socket.
    pub(crate) fn is_unix(&self) -> bool {
        matches!(self.socket, Socket::Unix(_))
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
        }
    }
}
