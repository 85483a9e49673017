//! The bytes between two processes.

use std::fmt;
use std::io::{self, IoSlice};
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, recv, send, sendmsg, shutdown,
};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::credentials::Credentials;
use super::foreign::Foreign;
use super::tcp;

/// A connected socket, or any other stream of bytes.
///
/// Writing to a socket whose peer has gone is an error of kind `BrokenPipe` and raises no `SIGPIPE`,
/// which would kill a host program that is not written in Rust: tokio's own writes can raise it.
pub(crate) struct Stream {
    socket: Socket,
    credentials: Option<Credentials>,
    process: u32,
}

enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
    Foreign(Foreign),
    /// Only while it is dropped.
    Gone,
}

impl Stream {
    /// A stream whose peer the kernel has named.
    pub(super) fn unix(socket: UnixStream) -> io::Result<Self> {
        let credentials = Some(Credentials::of_peer(&socket)?);
        Ok(Self::new(Socket::Unix(socket), credentials))
    }

    /// A stream that sends small messages at once.
    pub(super) fn tcp(socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        Ok(Self::new(Socket::Tcp(socket), None))
    }

    /// A stream between two tasks of this process, whose credentials are those of both ends.
    pub(super) fn memory(end: DuplexStream) -> Self {
        let mut stream = Self::over(end);
        stream.credentials = Some(Credentials::own());
        stream
    }

    /// A stream that somebody else has opened, and of whose peer nothing is known.
    ///
    /// What is written is flushed, as far as possible at once, the rest while it is read.
    pub(crate) fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self::new(Socket::Foreign(Foreign::new(stream)), None)
    }

    fn new(socket: Socket, credentials: Option<Credentials>) -> Self {
        Self { socket, credentials, process: std::process::id() }
    }

    /// Who is at the other end; `None` where the kernel does not tell, as on TCP.
    pub(crate) fn credentials(&self) -> Option<Credentials> {
        self.credentials
    }

    /// Whether the peer can be gone without anybody telling.
    pub(crate) fn is_tcp(&self) -> bool {
        matches!(self.socket, Socket::Tcp(_))
    }

    /// Has the kernel ask a peer on TCP that has said nothing for so long whether it is there.
    pub(crate) fn keep_alive(&self, every: Duration) -> io::Result<()> {
        match &self.socket {
            Socket::Tcp(socket) => tcp::keep_alive(socket, every),
            _ => Ok(()),
        }
    }

    /// Whether the peer has neither sent anything that was not read, nor left, nor is broken.
    ///
    /// The kernel is asked about sockets: what tokio knows of them can be older than what has
    /// happened. Nothing is lost of what is found.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let mut byte = [0; 1];
        let mut peek = |socket: BorrowedFd<'_>| {
            recv(socket, &mut byte[..], RecvFlags::PEEK | RecvFlags::DONTWAIT).map(drop)
        };
        let peeked = match &mut self.socket {
            Socket::Unix(socket) => peek(socket.as_fd()),
            Socket::Tcp(socket) => peek(socket.as_fd()),
            Socket::Foreign(stream) => return stream.is_quiet(),
            Socket::Gone => Ok(()),
        };
        peeked == Err(Errno::AGAIN)
    }

    /// Writes to a socket without a runtime, whose tasks may be dropped already; waits for room until
    /// `deadline`. Other streams cannot be written that way.
    pub(crate) fn write_now(&self, slices: &[IoSlice<'_>], deadline: Instant) -> io::Result<usize> {
        let socket = match &self.socket {
            Socket::Unix(socket) => socket.as_fd(),
            Socket::Tcp(socket) => socket.as_fd(),
            Socket::Foreign(_) | Socket::Gone => return Err(gone()),
        };
        let slices = &slices[..slices.len().min(MAX_SLICES)];
        loop {
            match sendmsg(socket, slices, &mut SendAncillaryBuffer::default(), NO_SIGPIPE) {
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => await_now(socket, PollFlags::OUT, deadline)?,
                written => return Ok(written?),
            }
        }
    }

    /// Says on TCP that nothing more comes, and waits until the peer has taken it all and closed, but
    /// not past `deadline`. A TCP socket that is closed while there is something to read throws away
    /// what the peer has not taken yet; others do not.
    pub(crate) fn settle_now(&self, deadline: Instant) -> io::Result<()> {
        let Socket::Tcp(socket) = &self.socket else { return Ok(()) };
        shutdown(socket, Shutdown::Write)?;
        let mut scratch = [0; 1024];
        loop {
            match recv(socket, &mut scratch[..], RecvFlags::DONTWAIT) {
                Ok((0, _)) => return Ok(()),
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => await_now(socket.as_fd(), PollFlags::IN, deadline)?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Writes with `write` once the socket takes bytes; `slices` are the same for other streams.
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
        write: impl Fn(BorrowedFd<'_>) -> rustix::io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let written = match &mut self.socket {
                Socket::Unix(socket) => {
                    ready!(socket.poll_write_ready(cx))?;
                    socket.try_io(Interest::WRITABLE, || Ok(write(socket.as_fd())?))
                }
                Socket::Tcp(socket) => {
                    ready!(socket.poll_write_ready(cx))?;
                    socket.try_io(Interest::WRITABLE, || Ok(write(socket.as_fd())?))
                }
                Socket::Foreign(stream) => return stream.poll_write(cx, slices),
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

/// Blocks until the socket is ready.
fn await_now(socket: BorrowedFd<'_>, events: PollFlags, deadline: Instant) -> io::Result<()> {
    let left = deadline.saturating_duration_since(Instant::now());
    let left = Timespec::try_from(left).map_err(|_| Errno::INVAL)?;
    match poll(&mut [PollFd::new(&socket, events)], Some(&left)) {
        Ok(0) => Err(io::ErrorKind::TimedOut.into()),
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn gone() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

/// In a child that was forked off, only the child's copy of a socket is closed.
///
/// Dropping tokio's socket would take it out of the epoll set, which both processes share: the
/// parent would never hear of its socket again. Nobody knows what dropping another stream would do
/// to the parent's, so it is not dropped.
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
            Socket::Foreign(_) | Socket::Gone => Ok(()),
        };
        mem::forget(socket);
    }
}

/// Apple's systems have no such flag; there, the standard library and mio set `SO_NOSIGPIPE`.
#[cfg(target_vendor = "apple")]
pub(super) const NO_SIGPIPE: SendFlags = SendFlags::empty();
#[cfg(not(target_vendor = "apple"))]
pub(super) const NO_SIGPIPE: SendFlags = SendFlags::NOSIGNAL;

/// More slices than this in one call are an error of the kernel (`IOV_MAX`).
pub(super) const MAX_SLICES: usize = 1024;

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Unix(socket) => Pin::new(socket).poll_read(cx, buf),
            Socket::Tcp(socket) => Pin::new(socket).poll_read(cx, buf),
            Socket::Foreign(stream) => stream.poll_read(cx, buf),
            Socket::Gone => Poll::Ready(Err(gone())),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, &[IoSlice::new(buf)], |socket| send(socket, buf, NO_SIGPIPE))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let slices = &slices[..slices.len().min(MAX_SLICES)];
        self.poll_send(cx, slices, |socket| {
            sendmsg(socket, slices, &mut SendAncillaryBuffer::default(), NO_SIGPIPE)
        })
    }

    fn is_write_vectored(&self) -> bool {
        match &self.socket {
            Socket::Foreign(stream) => stream.is_write_vectored(),
            Socket::Unix(_) | Socket::Tcp(_) | Socket::Gone => true,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Foreign(stream) => stream.poll_flush(cx),
            Socket::Unix(_) | Socket::Tcp(_) | Socket::Gone => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Unix(socket) => Pin::new(socket).poll_shutdown(cx),
            Socket::Tcp(socket) => Pin::new(socket).poll_shutdown(cx),
            Socket::Foreign(stream) => stream.poll_shutdown(cx),
            Socket::Gone => Poll::Ready(Err(gone())),
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut stream = f.debug_struct("Stream");
        match &self.socket {
            Socket::Unix(socket) => stream.field("socket", socket),
            Socket::Tcp(socket) => stream.field("socket", socket),
            Socket::Foreign(_) | Socket::Gone => &mut stream,
        };
        stream.field("credentials", &self.credentials).finish_non_exhaustive()
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
    async fn the_kernel_asks_a_silent_peer_on_tcp() {
        use rustix::net::sockopt::{socket_keepalive, tcp_keepcnt, tcp_keepidle, tcp_keepintvl};

        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let stream = Stream::tcp(socket).unwrap();
        let every = Duration::from_secs(30);
        stream.keep_alive(Duration::MAX).unwrap();
        let Socket::Tcp(socket) = &stream.socket else { panic!("{stream:?}") };
        assert!(stream.is_tcp() && !socket_keepalive(socket).unwrap());
        stream.keep_alive(every).unwrap();
        assert!(socket_keepalive(socket).unwrap());
        assert_eq!((tcp_keepidle(socket).unwrap(), tcp_keepintvl(socket).unwrap()), (every, every));
        assert_eq!(tcp_keepcnt(socket).unwrap(), 2);
        let (unix, _peer) = pair();
        unix.keep_alive(every).unwrap();
        assert!(!unix.is_tcp());
    }

    #[tokio::test]
    async fn a_child_closes_its_copy() {
        let (mut stream, mut peer) = pair();
        stream.process += 1;
        drop(stream);
        assert_eq!(peer.read(&mut [0]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_child_leaves_a_stream_alone_that_is_no_socket() {
        let (ours, mut peer) = tokio::io::duplex(1);
        let mut stream = Stream::over(ours);
        stream.process += 1;
        drop(stream);
        peer.write_all(b"x").await.unwrap();
    }
}
