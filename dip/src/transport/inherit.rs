//! Sockets that another program has opened and left to this one.
//!
//! A descriptor is only a number, and taking a number for a descriptor of one's own is unsafe in
//! Rust. The kernel does it safely: the number is sent through a socket pair (`SCM_RIGHTS`), and what
//! comes out is a descriptor that nobody else has. The first one is then closed. `pidfd_getfd` would
//! do the same in one call, but containers deny it.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{IpAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Mutex, PoisonError};

use nix::sys::socket::{ControlMessage, MsgFlags};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketType, getsockname,
    recvmsg,
};

/// Why a socket that should have been inherited is not used. It was left as it is.
#[derive(Debug)]
#[non_exhaustive]
pub enum InheritError {
    /// The descriptor is not open, or this process has opened it itself.
    NotInherited {
        /// The number of the descriptor.
        fd: RawFd,
    },
    /// The descriptor was taken before: it carries one listener or one connection.
    Taken {
        /// The number of the descriptor.
        fd: RawFd,
    },
    /// The descriptor is no stream socket, or one of another kind than Unix and TCP.
    NotASocket {
        /// The number of the descriptor.
        fd: RawFd,
    },
    /// A server needs a socket that listens, and this one does not.
    NotListening {
        /// The number of the descriptor.
        fd: RawFd,
    },
    /// A client needs a socket that is connected, and this one is not.
    NotConnected {
        /// The number of the descriptor.
        fd: RawFd,
    },
    /// systemd has passed no sockets to this process: `$LISTEN_FDS` is missing, or `$LISTEN_PID` is
    /// not its id.
    NoSockets,
    /// systemd has passed no socket of this name.
    UnknownName {
        /// The name.
        name: String,
        /// The names in `$LISTEN_FDNAMES`.
        known: Vec<String>,
    },
    /// A variable of the environment is not what systemd writes.
    Malformed {
        /// The name of the variable.
        variable: &'static str,
        /// What it contains.
        value: String,
    },
    /// The operating system refused a step.
    Io {
        /// The number of the descriptor.
        fd: RawFd,
        /// What the system said.
        source: io::Error,
    },
}

/// A socket that listens.
pub(super) enum Listening {
    Unix(UnixListener),
    Tcp(TcpListener, IpAddr),
}

/// A socket that is connected.
pub(super) enum Connected {
    Unix(UnixStream),
    Tcp(TcpStream, IpAddr),
}

/// The numbers that were taken; by now they may be those of other files.
static TAKEN: Mutex<BTreeSet<RawFd>> = Mutex::new(BTreeSet::new());

/// Takes these descriptors, or none of them: what `accept` makes of each.
///
/// From then on they are closed on `exec`, and do not block.
pub(super) fn take<T, E: From<InheritError>>(
    fds: &[RawFd],
    mut accept: impl FnMut(RawFd, OwnedFd) -> Result<T, E>,
) -> Result<Vec<T>, E> {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut sockets = Vec::new();
    for &fd in fds {
        if taken.contains(&fd) {
            return Err(InheritError::Taken { fd }.into());
        }
        sockets.push((fd, accept(fd, duplicate(fd)?)?));
    }
    let release = |(fd, socket)| {
        taken.insert(fd);
        // What cannot be closed stays open beside the duplicate, as it was.
        _ = release(fd);
        socket
    };
    Ok(sockets.into_iter().map(release).collect())
}

pub(super) fn listening(fd: RawFd, socket: OwnedFd) -> Result<Listening, InheritError> {
    let failed = |source| InheritError::Io { fd, source };
    let family = family(fd, &socket)?;
    if !is_listening(&socket).map_err(failed)? {
        return Err(InheritError::NotListening { fd });
    }
    if family == AddressFamily::UNIX {
        let socket = UnixListener::from(socket);
        socket.set_nonblocking(true).map_err(failed)?;
        return Ok(Listening::Unix(socket));
    }
    let socket = TcpListener::from(socket);
    socket.set_nonblocking(true).map_err(failed)?;
    let ip = socket.local_addr().map_err(failed)?.ip();
    Ok(Listening::Tcp(socket, ip))
}

pub(super) fn connected(fd: RawFd, socket: OwnedFd) -> Result<Connected, InheritError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotConnected => InheritError::NotConnected { fd },
        _ => InheritError::Io { fd, source },
    };
    if family(fd, &socket)? == AddressFamily::UNIX {
        let socket = UnixStream::from(socket);
        socket.peer_addr().map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        return Ok(Connected::Unix(socket));
    }
    let socket = TcpStream::from(socket);
    let ip = socket.peer_addr().map_err(failed)?.ip();
    socket.set_nonblocking(true).map_err(failed)?;
    Ok(Connected::Tcp(socket, ip))
}

/// What the number stands for, as a descriptor of our own.
fn duplicate(fd: RawFd) -> Result<OwnedFd, InheritError> {
    if was_opened_here(fd) {
        return Err(InheritError::NotInherited { fd });
    }
    let failed = |source| InheritError::Io { fd, source };
    let (ours, theirs) = UnixStream::pair().map_err(failed)?;
    let sent = nix::sys::socket::sendmsg::<()>(
        ours.as_raw_fd(),
        &[IoSlice::new(&[0])],
        &[ControlMessage::ScmRights(&[fd])],
        MsgFlags::empty(),
        None,
    );
    match sent {
        Ok(_) => {}
        Err(nix::errno::Errno::EBADF) => return Err(InheritError::NotInherited { fd }),
        Err(error) => return Err(failed(error.into())),
    }

    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let (mut byte, flags) = ([0], RecvFlags::empty());
    recvmsg(&theirs, &mut [IoSliceMut::new(&mut byte)], &mut control, flags)
        .map_err(|error| failed(error.into()))?;
    let duplicate = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    // Out of descriptors, the kernel delivers the message without them.
    let duplicate = duplicate.ok_or_else(|| failed(Errno::MFILE.into()))?;
    fcntl_setfd(&duplicate, FdFlags::CLOEXEC).map_err(|error| failed(error.into()))?;
    Ok(duplicate)
}

/// Whether this process has opened the descriptor itself, so that it belongs to somebody here: one
/// that came through `exec` cannot have the flag that closes it then.
///
/// Only Linux tells of a bare number. Elsewhere the caller's word stands.
fn was_opened_here(fd: RawFd) -> bool {
    let Ok(info) = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")) else { return false };
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| flags & rustix::fs::OFlags::CLOEXEC.bits() != 0)
}

fn family(fd: RawFd, socket: &OwnedFd) -> Result<AddressFamily, InheritError> {
    let family = getsockname(socket).map(|address| address.address_family());
    let family = match (family, rustix::net::sockopt::socket_type(socket)) {
        (Ok(family), Ok(SocketType::STREAM)) => family,
        _ => return Err(InheritError::NotASocket { fd }),
    };
    match family {
        AddressFamily::UNIX | AddressFamily::INET | AddressFamily::INET6 => Ok(family),
        _ => Err(InheritError::NotASocket { fd }),
    }
}

#[cfg(not(target_vendor = "apple"))]
fn is_listening(socket: &OwnedFd) -> io::Result<bool> {
    Ok(rustix::net::sockopt::socket_acceptconn(socket)?)
}

/// Apple's systems cannot be asked; a socket that is connected refuses to listen.
#[cfg(target_vendor = "apple")]
fn is_listening(socket: &OwnedFd) -> io::Result<bool> {
    Ok(rustix::net::listen(socket, i32::MAX).is_ok())
}

/// Closes the descriptor that was inherited. A standard stream stays open, as `/dev/null`: otherwise
/// the next file to be opened would become it.
fn release(fd: RawFd) -> io::Result<()> {
    let null = || File::options().read(true).write(true).open("/dev/null");
    match fd {
        0 => rustix::stdio::dup2_stdin(null()?)?,
        1 => rustix::stdio::dup2_stdout(null()?)?,
        2 => rustix::stdio::dup2_stderr(null()?)?,
        _ => nix::unistd::close(fd)?,
    }
    Ok(())
}

impl fmt::Display for InheritError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInherited { fd } => write!(
                f,
                "the descriptor {fd} was not inherited: it is not open, or was opened by this \
                 process; let the parent process pass a socket under this number"
            ),
            Self::Taken { fd } => write!(
                f,
                "the descriptor {fd} was taken before, and carries one listener or one connection; \
                 let the parent process pass another"
            ),
            Self::NotASocket { fd } => write!(
                f,
                "the descriptor {fd} is not a stream socket of Unix or TCP; let the parent process \
                 pass one"
            ),
            Self::NotListening { fd } => write!(
                f,
                "the socket with the descriptor {fd} does not listen; let the parent process bind \
                 it and call listen, in a systemd unit with Accept=no"
            ),
            Self::NotConnected { fd } => write!(
                f,
                "the socket with the descriptor {fd} is not connected; let the parent process pass \
                 one end of a socket pair, or a socket that it has connected"
            ),
            Self::NoSockets => f.write_str(
                "systemd has passed no sockets to this process: $LISTEN_FDS is missing, or \
                 $LISTEN_PID is not its id; start it by its socket unit",
            ),
            Self::UnknownName { name, known } => write!(
                f,
                "systemd has passed no socket with the name {name:?}, but {known:?}; set \
                 FileDescriptorName= in its socket unit"
            ),
            Self::Malformed { variable, value } => write!(
                f,
                "${variable} is {value:?}, which systemd would not write; start this process by a \
                 socket unit"
            ),
            Self::Io { fd, .. } => write!(f, "cannot take over the descriptor {fd}"),
        }
    }
}

impl std::error::Error for InheritError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
