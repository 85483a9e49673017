//! The bytes between two processes.

use std::fmt;
use std::io::{self, IoSlice};
use std::mem::{self, MaybeUninit};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::BufMut;
use bytes::buf::Limit;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, recv, send, sendmsg, shutdown,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, DuplexStream, ReadBuf};

use super::credentials::Credentials;
use super::foreign::Foreign;
use super::plain::Plain;
use super::readiness::Registered;
use super::tcp;

/// A connected socket, or any other stream of bytes.
///
/// Writing to a socket whose peer has gone is an error of kind `BrokenPipe` and raises no `SIGPIPE`,
/// which would kill a host program that is not written in Rust: tokio's own writes can raise it.
pub(crate) struct Stream {
    socket: Socket,
    credentials: Option<Credentials>,
    /// Bytes that the peer has not taken are lost if the socket is closed while others are unread.
    is_tcp: bool,
    process: u32,
}

enum Socket {
    Registered(Registered),
    Plain(Plain),
    Foreign(Foreign),
    /// Only while it is dropped.
    Gone,
}

/// What tokio watches a socket for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Watch {
    Reading,
    Both,
}

/// Only Linux is known to tell of each change once, which a [`Registered`] socket relies on.
const WATCH: Watch = if cfg!(target_os = "linux") { Watch::Reading } else { Watch::Both };

impl Stream {
    /// A stream whose peer the kernel has named. The socket must not block.
    #[track_caller]
    pub(super) fn unix(socket: UnixStream) -> io::Result<Self> {
        let credentials = Some(Credentials::of_socket(&socket)?);
        Ok(Self::new(Socket::new(socket.into(), WATCH)?, credentials))
    }

    /// A stream that sends small messages at once. The socket must not block.
    #[track_caller]
    pub(super) fn tcp(socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        let mut stream = Self::new(Socket::new(socket.into(), WATCH)?, None);
        stream.is_tcp = true;
        Ok(stream)
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

    #[cfg(test)]
    pub(super) fn watched(socket: OwnedFd, watch: Watch) -> io::Result<Self> {
        Ok(Self::new(Socket::new(socket, watch)?, None))
    }

    fn new(socket: Socket, credentials: Option<Credentials>) -> Self {
        Self { socket, credentials, is_tcp: false, process: std::process::id() }
    }

    /// Who is at the other end; `None` where the kernel does not tell, as on TCP.
    pub(crate) fn credentials(&self) -> Option<Credentials> {
        self.credentials
    }

    /// Whether the peer can be gone without anybody telling.
    pub(crate) fn is_tcp(&self) -> bool {
        self.is_tcp
    }

    /// Whether some of what was written may leave while the stream is read.
    pub(crate) fn is_flushed_while_read(&self) -> bool {
        matches!(self.socket, Socket::Foreign(_))
    }

    /// Has the kernel ask a peer on TCP that has said nothing for so long whether it is there.
    pub(crate) fn keep_alive(&self, every: Duration) -> io::Result<()> {
        match self.socket.as_fd() {
            Some(socket) if self.is_tcp => tcp::keep_alive(socket, every),
            _ => Ok(()),
        }
    }

    /// Whether the peer has neither sent anything that was not read, nor left, nor is broken.
    ///
    /// The kernel is asked about sockets: what tokio knows of them can be older than what has
    /// happened. Nothing is lost of what is found.
    pub(crate) fn is_quiet(&mut self) -> bool {
        if let Socket::Foreign(stream) = &mut self.socket {
            return stream.is_quiet();
        }
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        self.socket.as_fd().is_some_and(|socket| {
            recv(socket, &mut [0; 1][..], flags).is_err_and(|error| error == Errno::AGAIN)
        })
    }

    /// Reads into a vector, which is asked for when there is something to read, and whose spare capacity
    /// need not be filled with zeros for that. 0 bytes are the end of the stream.
    pub(crate) fn poll_fill<'a>(
        &mut self,
        cx: &mut Context<'_>,
        buffer: impl FnOnce() -> Limit<&'a mut Vec<u8>>,
    ) -> Poll<io::Result<usize>> {
        match &mut self.socket {
            Socket::Registered(socket) => socket.poll_fill(cx, buffer),
            _ => pin!(self.read_buf(&mut buffer())).poll(cx),
        }
    }

    /// The same, whatever the runtime knows of a socket; nobody is woken when there is nothing in it.
    pub(crate) fn poll_fill_now<'a>(
        &mut self,
        cx: &mut Context<'_>,
        buffer: impl FnOnce() -> Limit<&'a mut Vec<u8>>,
    ) -> Poll<io::Result<usize>> {
        let Some(socket) = self.socket.as_fd() else { return self.poll_fill(cx, buffer) };
        let mut buf = buffer();
        let mut scratch = [const { MaybeUninit::uninit() }; SCRATCH];
        let room = buf.remaining_mut().min(SCRATCH);
        let read = retry_on_intr(|| {
            let ((read, _), _) = recv(socket, &mut scratch[..room], RecvFlags::DONTWAIT)?;
            buf.put_slice(read);
            Ok(read.len())
        });
        match read {
            Err(Errno::AGAIN) => Poll::Pending,
            read => Poll::Ready(Ok(read?)),
        }
    }

    /// Writes to a socket without a runtime, whose tasks may be dropped already; waits for room until
    /// `deadline`. Other streams cannot be written that way.
    pub(crate) fn write_now(&self, slices: &[IoSlice<'_>], deadline: Instant) -> io::Result<usize> {
        let socket = self.socket.as_fd().ok_or_else(gone)?;
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
        let Some(socket) = self.socket.as_fd().filter(|_| self.is_tcp) else { return Ok(()) };
        shutdown(socket, Shutdown::Write)?;
        let mut scratch = [0; 1024];
        loop {
            match recv(socket, &mut scratch[..], RecvFlags::DONTWAIT) {
                Ok((0, _)) => return Ok(()),
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => await_now(socket, PollFlags::IN, deadline)?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Writes with `send` once the socket takes bytes; `slices` are the same for other streams.
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
        send: impl Fn(BorrowedFd<'_>) -> rustix::io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        match &mut self.socket {
            Socket::Registered(socket) => {
                let given = slices.iter().map(|slice| slice.len()).sum();
                socket.poll_send(cx, given, send)
            }
            Socket::Plain(socket) => socket.poll_send(cx, send),
            Socket::Foreign(stream) => stream.poll_write(cx, slices),
            Socket::Gone => Poll::Ready(Err(gone())),
        }
    }
}

impl Socket {
    #[track_caller]
    fn new(socket: OwnedFd, watch: Watch) -> io::Result<Self> {
        match watch {
            Watch::Reading => Registered::new(socket).map(Self::Registered),
            Watch::Both => Plain::new(socket).map(Self::Plain),
        }
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Registered(socket) => Some(socket.as_fd()),
            Self::Plain(socket) => Some(socket.as_fd()),
            Self::Foreign(_) | Self::Gone => None,
        }
    }
}

/// What is read through the stack at once.
const SCRATCH: usize = 16 << 10;

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
        _ = socket.as_fd().map(|socket| nix::unistd::close(socket.as_raw_fd()));
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
            Socket::Registered(socket) => socket.poll_read(cx, buf),
            Socket::Plain(socket) => socket.poll_read(cx, buf),
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
            Socket::Registered(_) | Socket::Plain(_) | Socket::Gone => true,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Foreign(stream) => stream.poll_flush(cx),
            Socket::Registered(_) | Socket::Plain(_) | Socket::Gone => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Socket::Foreign(stream) = &mut self.socket {
            return stream.poll_shutdown(cx);
        }
        let socket = self.socket.as_fd().ok_or_else(gone)?;
        match shutdown(socket, Shutdown::Write) {
            // The peer has left first.
            Err(Errno::NOTCONN) => Poll::Ready(Ok(())),
            ended => Poll::Ready(Ok(ended?)),
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("socket", &self.socket.as_fd())
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    fn pair() -> (Stream, tokio::net::UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs.set_nonblocking(true).unwrap();
        (Stream::unix(ours).unwrap(), tokio::net::UnixStream::from_std(theirs).unwrap())
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
        let socket = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let stream = Stream::tcp(socket.into_std().unwrap()).unwrap();
        let every = Duration::from_secs(30);
        stream.keep_alive(Duration::MAX).unwrap();
        let socket = stream.socket.as_fd().unwrap();
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

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_child_leaves_the_socket_in_the_epoll_set() {
        for watch in [Watch::Reading, Watch::Both] {
            let (ours, _theirs) = UnixStream::pair().unwrap();
            ours.set_nonblocking(true).unwrap();
            // A set forgets a socket that is closed everywhere.
            let _parent = ours.try_clone().unwrap();
            let mut stream = Stream::watched(ours.into(), watch).unwrap();
            let number = stream.socket.as_fd().unwrap().as_raw_fd();
            stream.process += 1;
            drop(stream);
            assert!(is_watched(number), "{watch:?}");
        }
    }

    /// Whether a descriptor of this number is, or was when it was registered, in an epoll set.
    #[cfg(target_os = "linux")]
    fn is_watched(number: i32) -> bool {
        std::fs::read_dir("/proc/self/fdinfo").unwrap().any(|set| {
            let info = std::fs::read_to_string(set.unwrap().path()).unwrap_or_default();
            let watched =
                |line: &str| line.strip_prefix("tfd:")?.split_whitespace().next()?.parse().ok();
            info.lines().any(|line| watched(line) == Some(number))
        })
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
