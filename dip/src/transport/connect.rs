//! Reaching a server.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::RawFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};

use super::access::Access;
use super::address::Address;
use super::credentials::own_uid;
use super::inherit::{self, Connected, InheritError};
use super::memory;
use super::stream::Stream;
use super::tcp::{Unusable, resolve};
use super::unix::PATH_LIMIT;

/// Connects to the server at `address`, by `deadline`.
///
/// On a Unix socket, inherited or not, the server must be of this process's user, root's, or one that `access` admits:
/// otherwise anybody who came first to a path in a shared directory could pose as the server.
///
/// A full backlog is waited out: Linux reports it as `EAGAIN`, and the attempt is made again after
/// 1 ms, then twice as long up to 50 ms. So is an attempt that a signal interrupted. A missing
/// server is an error at once.
///
/// # Errors
///
/// See [`ConnectError`].
///
/// # Cancel safety
///
/// A future that is dropped closes its socket.
pub(crate) async fn connect(
    address: &Address,
    access: &Access,
    deadline: Instant,
) -> Result<Stream, ConnectError> {
    let attempt = async {
        match address {
            Address::Unix(path) => connect_unix(address, path, access).await,
            Address::Tcp { host, port } => connect_tcp(address, host, *port).await,
            Address::Memory(name) => memory::connect(address, name).await,
            Address::Fd(fd) => take_connected(address, *fd, access).await,
            Address::Systemd { .. } => Err(ConnectError::ListensOnly { address: address.clone() }),
        }
    };
    timeout_at(deadline, attempt)
        .await
        .unwrap_or_else(|_| Err(ConnectError::TimedOut { address: address.clone() }))
}

const FIRST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(50);

async fn connect_unix(
    address: &Address,
    path: &Path,
    access: &Access,
) -> Result<Stream, ConnectError> {
    if path.as_os_str().len() > PATH_LIMIT {
        return Err(ConnectError::PathTooLong { path: path.to_owned(), limit: PATH_LIMIT });
    }
    let mut wait = FIRST_WAIT;
    let socket = loop {
        match dial(path).await {
            Ok(socket) => break socket,
            Err(error) => match Errno::from_io_error(&error) {
                Some(Errno::AGAIN | Errno::INTR) => {
                    sleep(wait).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
                Some(Errno::CONNREFUSED) if is_something_else(path) => {
                    return Err(ConnectError::NotASocket { path: path.to_owned() });
                }
                _ => return Err(ConnectError::of(address, error)),
            },
        }
    };
    let stream = Stream::unix(socket).map_err(|error| ConnectError::of(address, error))?;
    trust_server(stream, address, access).await
}

/// There is nothing to wait for: the backlog has room, or it has none.
#[cfg(any(target_os = "linux", target_os = "android"))]
async fn dial(path: &Path) -> io::Result<UnixStream> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

    let server = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &server)?;
    Ok(socket.into())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
async fn dial(path: &Path) -> io::Result<UnixStream> {
    tokio::net::UnixStream::connect(path).await?.into_std()
}

async fn trust_server(
    stream: Stream,
    address: &Address,
    access: &Access,
) -> Result<Stream, ConnectError> {
    if let Some(server) = stream.credentials()
        && server.uid != 0
        && access.admit(Some(server)).await.is_err()
    {
        let address = address.clone();
        return Err(ConnectError::WrongUid { address, server: server.uid, ours: own_uid() });
    }
    Ok(stream)
}

/// Whether what is at the path, links followed, is no socket.
pub(super) fn is_something_else(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| !found.file_type().is_socket())
}

async fn connect_tcp(address: &Address, host: &str, port: u16) -> Result<Stream, ConnectError> {
    let found = resolve(host, port).await.map_err(|error| match error {
        Unusable::NotLoopback(ip) => ConnectError::NotLoopback { address: address.clone(), ip },
        Unusable::Unknown(source) => ConnectError::Io { address: address.clone(), source },
    })?;
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for candidate in found {
        match connect_one(candidate).await {
            Ok(stream) => return Ok(stream),
            // Where both fail, a refusal says more than that there is no IPv6.
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {}
            Err(error) => last = error,
        }
    }
    Err(ConnectError::of(address, last))
}

async fn connect_one(server: SocketAddr) -> io::Result<Stream> {
    let socket = loop {
        match TcpStream::connect(server).await {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            connected => break connected?,
        }
    };
    // Where nobody listens, the kernel may pick the very port it connects to for this end.
    if socket.local_addr()? == server {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    socket.into_std().and_then(Stream::tcp)
}

/// The connection that the parent process has left under this number.
async fn take_connected(
    address: &Address,
    fd: RawFd,
    access: &Access,
) -> Result<Stream, ConnectError> {
    let failed = |error| ConnectError::of(address, error);
    let stream = match inherited(address, fd)? {
        Connected::Unix(socket) => Stream::unix(socket),
        Connected::Tcp(socket, _) => Stream::tcp(socket),
    };
    trust_server(stream.map_err(failed)?, address, access).await
}

/// The socket that the parent process has left under this number, on this machine.
pub(super) fn inherited(address: &Address, fd: RawFd) -> Result<Connected, ConnectError> {
    let taken = inherit::take(&[fd], |fd, socket| match inherit::connected(fd, socket)? {
        Connected::Tcp(_, ip) if !ip.to_canonical().is_loopback() => {
            Err(ConnectError::NotLoopback { address: address.clone(), ip })
        }
        connected => Ok(connected),
    })?;
    taken.into_iter().next().ok_or_else(|| InheritError::NotInherited { fd }.into())
}

/// Why there is no connection to a server.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// No server listens at the address.
    NoServer {
        /// The address.
        address: Address,
        /// How that was seen.
        absence: Absence,
    },
    /// What is at the path is a file or a directory, not a socket.
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The path does not fit into the kernel's `sun_path`.
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// The longest path that fits, in bytes.
        limit: usize,
    },
    /// The server runs as a user whom this client does not trust. Nothing was sent to it.
    WrongUid {
        /// The address.
        address: Address,
        /// The user of the server.
        server: u32,
        /// The user of this process.
        ours: u32,
    },
    /// The mode of the socket, or of a directory on the way to it, keeps this user out.
    Denied {
        /// The address.
        address: Address,
        /// The user of this process.
        ours: u32,
    },
    /// The host can only be reached over a network.
    NotLoopback {
        /// The address.
        address: Address,
        /// What its host stands for.
        ip: IpAddr,
    },
    /// The connection cannot be taken over from the parent process.
    Inherit(InheritError),
    /// Only servers take this kind of address.
    ListensOnly {
        /// The address.
        address: Address,
    },
    /// What is in memory is reached by the async client only.
    NeedsRuntime {
        /// The address.
        address: Address,
    },
    /// No connection came about by the deadline.
    TimedOut {
        /// The address.
        address: Address,
    },
    /// The operating system reported another error.
    Io {
        /// The address.
        address: Address,
        /// What the system said.
        source: io::Error,
    },
}

/// How it was seen that no server is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Absence {
    /// The path does not exist: the server has not been started, or has ended in good order.
    Missing,
    /// Nobody listens there: the server has not bound the address, or has died.
    Refused,
}

impl ConnectError {
    /// Whether the same attempt may succeed later.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::NoServer { .. } | Self::TimedOut { .. } | Self::Io { .. })
    }

    pub(super) fn of(address: &Address, source: io::Error) -> Self {
        let address = address.clone();
        match source.kind() {
            io::ErrorKind::NotFound => Self::NoServer { address, absence: Absence::Missing },
            io::ErrorKind::ConnectionRefused => {
                Self::NoServer { address, absence: Absence::Refused }
            }
            io::ErrorKind::PermissionDenied => Self::Denied { address, ours: own_uid() },
            _ => Self::Io { address, source },
        }
    }
}

impl From<InheritError> for ConnectError {
    fn from(error: InheritError) -> Self {
        Self::Inherit(error)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoServer { address, absence } => {
                let why = match absence {
                    Absence::Missing => "the path does not exist",
                    Absence::Refused => "nobody listens there",
                };
                let address = address.to_string();
                write!(f, "no server at {address:?}: {why}; start the server first")
            }
            Self::NotASocket { path } => {
                write!(f, "{path:?} is not a socket; name the path that the server listens on")
            }
            Self::PathTooLong { path, limit } => write!(
                f,
                "the path {path:?} is {} bytes long, a socket's is at most {limit}; \
                 choose a shorter one",
                path.as_os_str().len()
            ),
            Self::WrongUid { address, server, ours } => write!(
                f,
                "the server at {:?} runs as uid {server}, this process as uid {ours}; \
                 if that is meant, say `access = Access::uids([{server}])`",
                address.to_string()
            ),
            Self::Denied { address, ours } => write!(
                f,
                "uid {ours} may not connect to {:?}, says the mode of the socket or of a directory \
                 above it; let the server widen it with `access`",
                address.to_string()
            ),
            Self::NotLoopback { address, ip } => write!(
                f,
                "{:?} stands for {ip}, which is not on this machine, and dip has no TLS yet; \
                 connect to tcp:localhost:PORT",
                address.to_string()
            ),
            Self::Inherit(error) => error.fmt(f),
            Self::ListensOnly { address } => write!(
                f,
                "{:?} is an address for servers; connect to the path or the port that its sockets \
                 are bound to",
                address.to_string()
            ),
            Self::NeedsRuntime { address } => write!(
                f,
                "{:?} is in memory, which only `dip::Client` reaches; give the blocking client a \
                 path or a port",
                address.to_string()
            ),
            Self::TimedOut { address } => write!(
                f,
                "the server at {:?} did not take the connection in time; \
                 it is overloaded or stopped",
                address.to_string()
            ),
            Self::Io { address, source } => {
                write!(f, "cannot connect to {:?}: {source}", address.to_string())
            }
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // What it says itself is part of the text above.
            Self::Io { source, .. } => source.source(),
            Self::Inherit(error) => error.source(),
            _ => None,
        }
    }
}
