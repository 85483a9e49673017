//! A listening address, and the streams that come in.

use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::os::fd::RawFd;
use std::path::Path;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::io::Errno;
use tokio::time::{Instant, sleep_until};

use super::access::Access;
use super::address::Address;
use super::bind::{BindError, Options};
use super::incoming::Incoming;
use super::inherit::{self, Listening};
use super::memory::MemoryListener;
use super::stream::Stream;
use super::unix::PathListener;
use super::{systemd, tcp};

/// A listening address. Dropping it frees the address; a socket file of its own is unlinked.
#[derive(Debug)]
pub(crate) struct Listener {
    sockets: Sockets,
    address: Address,
    access: Access,
    shortage: Shortage,
}

#[derive(Debug)]
enum Sockets {
    Path(PathListener),
    /// `next` is asked first, and moves on, so that no socket starves another.
    Open {
        sockets: Vec<Socket>,
        next: usize,
    },
    Memory(MemoryListener),
}

/// A socket that owns no path.
#[derive(Debug)]
enum Socket {
    Unix(Incoming),
    Tcp(Incoming),
}

impl Listener {
    /// Listens on `address`, with as long a backlog as the kernel allows.
    ///
    /// # Errors
    ///
    /// See [`BindError`]. A stale socket of this user is removed, nothing else.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped frees the address.
    pub(crate) async fn bind(address: &Address, mut options: Options) -> Result<Self, BindError> {
        if !matches!(address, Address::Tcp { .. }) {
            options.access =
                options.access.resolve().map_err(|name| BindError::UnknownGroup { name })?;
        }
        let (sockets, address) = match address {
            Address::Unix(path) => {
                (Sockets::Path(PathListener::bind(path, &options).await?), address.clone())
            }
            Address::Tcp { host, port } => {
                let (sockets, port) = tcp::bind(host, *port, &options).await?;
                let sockets = sockets.into_iter().map(Socket::Tcp).collect();
                (Sockets::Open { sockets, next: 0 }, Address::Tcp { host: host.clone(), port })
            }
            Address::Memory(name) => {
                (Sockets::Memory(MemoryListener::bind(name)?), address.clone())
            }
            Address::Fd(fd) => Sockets::inherit(address, &[*fd], &options)?,
            Address::Systemd { name } => {
                let descriptors = systemd::descriptors(name.as_deref())?;
                Sockets::inherit(address, &descriptors, &options)?
            }
        };
        Ok(Self { sockets, address, access: options.access, shortage: Shortage::new() })
    }

    /// Where clients reach this listener: the address it was bound to, with the real port; where its
    /// sockets were inherited, the path or port of the first, if it has one.
    pub(crate) fn local_addr(&self) -> &Address {
        &self.address
    }

    /// Whether the path still leads to this socket; always true where this listener owns no path.
    ///
    /// It asks the file system. A server looks every few seconds, because a Python server that is
    /// started on the same path takes it over without a word.
    pub(crate) fn still_ours(&self) -> bool {
        match &self.sockets {
            Sockets::Path(socket) => socket.still_ours(),
            Sockets::Open { .. } | Sockets::Memory(_) => true,
        }
    }

    /// Whether nothing is at the path any more.
    pub(crate) fn is_removed(&self) -> bool {
        match &self.sockets {
            Sockets::Path(socket) => socket.is_removed(),
            Sockets::Open { .. } | Sockets::Memory(_) => false,
        }
    }

    /// Who may connect; everybody on TCP.
    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// The next connection.
    ///
    /// Errors of accepting end here. A connection that ended before it was accepted is passed over.
    /// When descriptors or memory run out, it pauses for 10 ms, and twice as long each time up to
    /// 1 s; at each pause one waiting connection is closed, so that its client need not wait for its
    /// deadline.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped loses no connection, and a pause goes on in the next call.
    pub(crate) async fn accept(&mut self) -> Stream {
        loop {
            if let Some(end) = self.shortage.pause_end {
                sleep_until(end).await;
                self.shortage.pause_end = None;
            }
            match poll_fn(|cx| self.sockets.poll_accept(cx)).await {
                Ok(Some(stream)) => {
                    self.shortage.ended();
                    return stream;
                }
                Ok(None) => {}
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    if is_of_descriptors(&error) {
                        self.close_one().await;
                    }
                    self.shortage.pause(&self.address, &error);
                }
            }
        }
    }

    /// Accepts one connection with the spare descriptor, and closes it.
    async fn close_one(&mut self) {
        self.shortage.spare = None;
        poll_fn(|cx| {
            drop(self.sockets.poll_accept(cx));
            Poll::Ready(())
        })
        .await;
        self.shortage.spare = spare();
    }
}

impl Sockets {
    /// The sockets with these descriptors, and where clients reach the first of them.
    fn inherit(
        address: &Address,
        descriptors: &[RawFd],
        options: &Options,
    ) -> Result<(Self, Address), BindError> {
        let failed = |source| BindError::Io {
            step: "take over the socket",
            at: address.to_string(),
            source,
        };
        let taken = inherit::take(descriptors, |fd, socket| {
            let socket = inherit::listening(fd, socket)?;
            if let Listening::Tcp(_, ip) = &socket {
                if !ip.to_canonical().is_loopback() {
                    return Err(BindError::NotLoopback { address: address.clone(), ip: *ip });
                }
                if !options.insecure_no_auth {
                    return Err(BindError::NoAuth { address: address.clone() });
                }
            }
            Ok(socket)
        })?;
        let mut reached = None;
        let mut sockets = Vec::new();
        for socket in taken {
            let (socket, place) = match socket {
                Listening::Unix(socket) => {
                    let place = socket.local_addr().map_err(failed)?;
                    let place = place.as_pathname().map(Address::from);
                    (Socket::Unix(Incoming::new(socket.into()).map_err(failed)?), place)
                }
                Listening::Tcp(socket, ip) => {
                    let port = socket.local_addr().map_err(failed)?.port();
                    let place = Address::Tcp { host: ip.to_string(), port };
                    (Socket::Tcp(Incoming::new(socket.into()).map_err(failed)?), Some(place))
                }
            };
            reached.get_or_insert(place);
            sockets.push(socket);
        }
        let address = reached.flatten().unwrap_or_else(|| address.clone());
        Ok((Self::Open { sockets, next: 0 }, address))
    }

    /// The next connection, or `None` for one that was gone before it could be set up.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Stream>>> {
        match self {
            Self::Path(listener) => {
                let socket = ready!(listener.socket.poll_accept(cx))?;
                Poll::Ready(set_up(Stream::unix(socket.into())))
            }
            Self::Open { sockets, next } => {
                for turn in 0..sockets.len() {
                    let at = (*next + turn) % sockets.len();
                    if let Poll::Ready(accepted) = sockets[at].poll_accept(cx) {
                        *next = (at + 1) % sockets.len();
                        return Poll::Ready(accepted);
                    }
                }
                Poll::Pending
            }
            Self::Memory(listener) => listener.poll_accept(cx).map(|stream| Ok(Some(stream))),
        }
    }
}

impl Socket {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Stream>>> {
        Poll::Ready(match self {
            Self::Unix(socket) => set_up(Stream::unix(ready!(socket.poll_accept(cx))?.into())),
            Self::Tcp(socket) => set_up(Stream::tcp(ready!(socket.poll_accept(cx))?.into())),
        })
    }
}

/// A connection may have ended before it could be set up; what else fails says something of the next.
fn set_up(stream: io::Result<Stream>) -> io::Result<Option<Stream>> {
    match stream.map_err(|error| (Errno::from_io_error(&error), error)) {
        Ok(stream) => Ok(Some(stream)),
        Err((Some(Errno::NOTCONN | Errno::INVAL), _)) => Ok(None),
        Err((_, error)) => Err(error),
    }
}

/// Errors that are about the connection just taken from the backlog, and say nothing of the next.
///
/// On Linux `accept` passes on what the network reported for the new connection.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(
            Errno::CONNABORTED
                | Errno::CONNRESET
                | Errno::CONNREFUSED
                | Errno::INTR
                | Errno::NETDOWN
                | Errno::NETUNREACH
                | Errno::HOSTDOWN
                | Errno::HOSTUNREACH
                | Errno::PROTO
                | Errno::PERM
        )
    )
}

fn is_of_descriptors(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const LOG_EVERY: Duration = Duration::from_secs(10);

/// What a listener remembers while descriptors or memory are short.
#[derive(Debug)]
struct Shortage {
    /// Open for nothing but to be closed when a descriptor is needed.
    spare: Option<File>,
    next_pause: Duration,
    pause_end: Option<Instant>,
    last_logged: Option<Instant>,
    unlogged: u64,
}

impl Shortage {
    fn new() -> Self {
        Self {
            spare: spare(),
            next_pause: FIRST_PAUSE,
            pause_end: None,
            last_logged: None,
            unlogged: 0,
        }
    }

    fn pause(&mut self, address: &Address, error: &io::Error) {
        let now = Instant::now();
        if self.last_logged.is_some_and(|last| now - last < LOG_EVERY) {
            self.unlogged += 1;
        } else {
            tracing::warn!(%address, %error, unlogged = self.unlogged, "cannot accept connections");
            self.last_logged = Some(now);
            self.unlogged = 0;
        }
        self.pause_end = Some(now + self.next_pause);
        self.next_pause = (self.next_pause * 2).min(LONGEST_PAUSE);
    }

    fn ended(&mut self) {
        self.next_pause = FIRST_PAUSE;
        if self.spare.is_none() {
            self.spare = spare();
        }
    }
}

fn spare() -> Option<File> {
    File::open(Path::new("/dev/null")).ok()
}
