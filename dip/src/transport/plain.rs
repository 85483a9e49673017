//! tokio's own sockets, for systems where readiness is not known to come edge by edge.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::net::AddressFamily;
use tokio::io::{AsyncRead, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// A connected socket of tokio.
#[derive(Debug)]
pub(super) enum Plain {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Plain {
    /// `socket` must not block.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, or in one without a driver for sockets.
    #[track_caller]
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        if rustix::net::getsockname(&socket)?.address_family() == AddressFamily::UNIX {
            Ok(Self::Unix(UnixStream::from_std(socket.into())?))
        } else {
            Ok(Self::Tcp(TcpStream::from_std(socket.into())?))
        }
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(socket) => socket.as_fd(),
            Self::Tcp(socket) => socket.as_fd(),
        }
    }

    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Unix(socket) => Pin::new(socket).poll_read(cx, buf),
            Self::Tcp(socket) => Pin::new(socket).poll_read(cx, buf),
        }
    }

    /// Writes with `send` once the socket takes bytes.
    pub(super) fn poll_send(
        &self,
        cx: &mut Context<'_>,
        send: impl Fn(BorrowedFd<'_>) -> rustix::io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let send = || Ok(send(self.as_fd())?);
        loop {
            let written = match self {
                Self::Unix(socket) => {
                    ready!(socket.poll_write_ready(cx))?;
                    socket.try_io(Interest::WRITABLE, send)
                }
                Self::Tcp(socket) => {
                    ready!(socket.poll_write_ready(cx))?;
                    socket.try_io(Interest::WRITABLE, send)
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
