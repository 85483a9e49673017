//! A socket that the thread which needs it reads and writes, without a runtime.

#[cfg(test)]
mod tests;

use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, recv, send, sendmsg, shutdown,
};

use super::access::Access;
use super::address::Address;
use super::connect::{self, ConnectError};
use super::credentials::{Credentials, own_uid};
use super::inherit::Connected;
use super::stream::{MAX_SLICES, NO_SIGPIPE};
use super::tcp::{Unusable, keep_alive, resolve_blocking};
use super::unix::PATH_LIMIT;

/// A connected socket. Waiting ends at a deadline; signals do not interrupt it.
#[derive(Debug)]
pub(crate) struct Socket {
    socket: OwnedFd,
    /// For how long the kernel lets a read wait.
    patience: Option<Duration>,
}

/// What a socket is ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    /// There are bytes to read, or its end.
    Read,
    Write,
}

impl Socket {
    /// Connects to the server at `address`, by `deadline`, as
    /// [`transport::connect`](super::connect()) does.
    pub(crate) fn connect(
        address: &Address,
        access: &Access,
        deadline: Instant,
    ) -> Result<Self, ConnectError> {
        match address {
            Address::Unix(path) => connect_unix(address, path, access, deadline),
            Address::Tcp { host, port } => connect_tcp(address, host, *port, deadline),
            Address::Fd(fd) => match connect::inherited(address, *fd)? {
                Connected::Unix(socket) => of_unix(address, socket, access),
                Connected::Tcp(socket, _) => of_tcp(address, socket),
            },
            Address::Memory(_) => Err(ConnectError::NeedsRuntime { address: address.clone() }),
            Address::Systemd { .. } => Err(ConnectError::ListensOnly { address: address.clone() }),
        }
    }

    /// A stream socket that somebody else has connected.
    pub(crate) fn over(socket: OwnedFd) -> Self {
        Self { socket, patience: None }
    }

    /// Reads what is there, or waits for it: 0 bytes are the end of the stream, `None` is the
    /// deadline.
    pub(crate) fn read(
        &mut self,
        buffer: &mut [u8],
        deadline: Instant,
    ) -> io::Result<Option<usize>> {
        let patient = self.limit_patience(deadline)?;
        loop {
            let flags = if patient { RecvFlags::empty() } else { RecvFlags::DONTWAIT };
            match retry_on_intr(|| recv(&self.socket, &mut *buffer, flags)) {
                // The kernel's patience ends early, and a socket of others may not wait at all.
                Err(Errno::AGAIN) => {
                    if self.wait(PollFlags::IN, deadline)?.is_none() {
                        return Ok(None);
                    }
                }
                read => return Ok(Some(read?.0)),
            }
        }
    }

    /// Reads what is there; `None` if that is nothing.
    pub(crate) fn read_now(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match retry_on_intr(|| recv(&self.socket, &mut *buffer, RecvFlags::DONTWAIT)) {
            Err(Errno::AGAIN) => Ok(None),
            read => Ok(Some(read?.0)),
        }
    }

    /// Writes as much as there is room for; `None` if there is none.
    pub(crate) fn write_now(&self, slices: &[IoSlice<'_>]) -> io::Result<Option<usize>> {
        let slices = &slices[..slices.len().min(MAX_SLICES)];
        let flags = NO_SIGPIPE | SendFlags::DONTWAIT;
        let mut write = || match slices {
            [slice] => send(&self.socket, slice, flags),
            _ => sendmsg(&self.socket, slices, &mut SendAncillaryBuffer::default(), flags),
        };
        match retry_on_intr(&mut write) {
            Err(Errno::AGAIN) => Ok(None),
            written => Ok(Some(written?)),
        }
    }

    /// Writes all of it; `false` if the deadline was over before that.
    pub(crate) fn write_all(
        &self,
        mut slices: &mut [IoSlice<'_>],
        deadline: Instant,
    ) -> io::Result<bool> {
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            match self.write_now(slices)? {
                Some(written) => IoSlice::advance_slices(&mut slices, written),
                None if self.wait(PollFlags::OUT, deadline)?.is_none() => return Ok(false),
                None => {}
            }
        }
        Ok(true)
    }

    /// Waits until there is room to write, or something to read; `None` is the deadline.
    pub(crate) fn room(&self, deadline: Instant) -> io::Result<Option<Ready>> {
        self.wait(PollFlags::IN | PollFlags::OUT, deadline)
    }

    /// Whether the peer has neither sent anything that was not read, nor left.
    pub(crate) fn is_quiet(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        retry_on_intr(|| recv(&self.socket, &mut [0; 1][..], flags)).err() == Some(Errno::AGAIN)
    }

    /// Has the kernel ask a peer on TCP that has said nothing for so long whether it is there.
    pub(crate) fn keep_alive(&self, every: Duration) -> io::Result<()> {
        keep_alive(&self.socket, every)
    }

    /// Tells the peer that nothing more is written.
    pub(crate) fn end(&self) {
        // One that has left knows.
        _ = shutdown(&self.socket, Shutdown::Write);
    }

    fn wait(&self, what: PollFlags, deadline: Instant) -> io::Result<Option<Ready>> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).map_err(|_| Errno::INVAL)?;
            let mut polled = [PollFd::new(&self.socket, what)];
            match poll(&mut polled, Some(&left)) {
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
                Ok(0) => return Ok(None),
                // Errors are found by reading.
                Ok(_) if polled[0].revents() == PollFlags::OUT => return Ok(Some(Ready::Write)),
                Ok(_) => return Ok(Some(Ready::Read)),
            }
        }
    }

    /// Makes the kernel wake a read some time before the deadline; `false` if that is too close for
    /// the kernel, which counts in ticks of up to 10 ms.
    ///
    /// What was set for the last read is left as it is when it is good enough, so that messages
    /// with the same time cost one system call in all.
    fn limit_patience(&mut self, deadline: Instant) -> io::Result<bool> {
        const SHORTEST: Duration = Duration::from_millis(100);
        const LONGEST: Duration = Duration::from_secs(3600);
        let left = deadline.saturating_duration_since(Instant::now()).min(LONGEST);
        if left < SHORTEST {
            return Ok(false);
        }
        if !self.patience.is_some_and(|now| now <= left * 4 / 5 && now >= left / 2) {
            let patience = left * 3 / 4;
            set_socket_timeout(&self.socket, Timeout::Recv, Some(patience))?;
            self.patience = Some(patience);
        }
        Ok(true)
    }
}

fn connect_unix(
    address: &Address,
    path: &Path,
    access: &Access,
    deadline: Instant,
) -> Result<Socket, ConnectError> {
    if path.as_os_str().len() > PATH_LIMIT {
        return Err(ConnectError::PathTooLong { path: path.to_owned(), limit: PATH_LIMIT });
    }
    loop {
        match dial(path, deadline) {
            Ok(socket) => return of_unix(address, socket, access),
            Err(error) => match Errno::from_io_error(&error) {
                Some(Errno::AGAIN | Errno::INTR) if Instant::now() < deadline => {}
                Some(Errno::AGAIN | Errno::INTR) => {
                    return Err(ConnectError::TimedOut { address: address.clone() });
                }
                Some(Errno::CONNREFUSED) if connect::is_something_else(path) => {
                    return Err(ConnectError::NotASocket { path: path.to_owned() });
                }
                _ => return Err(ConnectError::of(address, error)),
            },
        }
    }
}

/// Waits for room in the backlog.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn dial(path: &Path, deadline: Instant) -> io::Result<UnixStream> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

    let server = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    let left = left_to_connect(deadline)?;
    set_socket_timeout(&socket, Timeout::Send, Some(left))?;
    rustix::net::connect(&socket, &server)?;
    Ok(socket.into())
}

/// Where the backlog is full, other systems say so at once, as if nobody listened.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn dial(path: &Path, deadline: Instant) -> io::Result<UnixStream> {
    left_to_connect(deadline)?;
    UnixStream::connect(path)
}

/// Never zero, which would be for ever.
fn left_to_connect(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(Errno::AGAIN.into()) } else { Ok(left.max(Duration::from_millis(1))) }
}

/// A stream whose peer the kernel has named, if that is one to trust.
fn of_unix(address: &Address, socket: UnixStream, access: &Access) -> Result<Socket, ConnectError> {
    let failed = |error| ConnectError::of(address, error);
    let server = Credentials::of_socket(&socket).map_err(failed)?;
    if server.uid != 0 && access.admit_blocking(&server).is_err() {
        let address = address.clone();
        return Err(ConnectError::WrongUid { address, server: server.uid, ours: own_uid() });
    }
    // An inherited one does not wait.
    socket.set_nonblocking(false).map_err(failed)?;
    Ok(Socket::over(socket.into()))
}

fn connect_tcp(
    address: &Address,
    host: &str,
    port: u16,
    deadline: Instant,
) -> Result<Socket, ConnectError> {
    let found = resolve_blocking(host, port).map_err(|error| match error {
        Unusable::NotLoopback(ip) => ConnectError::NotLoopback { address: address.clone(), ip },
        Unusable::Unknown(source) => ConnectError::Io { address: address.clone(), source },
    })?;
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for candidate in found {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ConnectError::TimedOut { address: address.clone() });
        }
        match connect_one(candidate, left) {
            Ok(socket) => return of_tcp(address, socket),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(ConnectError::TimedOut { address: address.clone() });
            }
            // Where both fail, a refusal says more than that there is no IPv6.
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {}
            Err(error) => last = error,
        }
    }
    Err(ConnectError::of(address, last))
}

fn connect_one(server: SocketAddr, left: Duration) -> io::Result<TcpStream> {
    let socket = TcpStream::connect_timeout(&server, left)?;
    // Where nobody listens, the kernel may pick the very port it connects to for this end.
    if socket.local_addr()? == server {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(socket)
}

/// A stream that sends small messages at once.
fn of_tcp(address: &Address, socket: TcpStream) -> Result<Socket, ConnectError> {
    let failed = |error| ConnectError::of(address, error);
    socket.set_nodelay(true).map_err(failed)?;
    socket.set_nonblocking(false).map_err(failed)?;
    Ok(Socket::over(socket.into()))
}
