//! How a server takes an address, and why it cannot.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use super::access::Access;
use super::address::Address;
use super::inherit::InheritError;

/// What a server says about the address it binds, beside the address itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Who may connect to a Unix socket.
    pub(crate) access: Access,
    /// Bind in a directory in which others could replace the socket.
    pub(crate) trust_directory: bool,
    /// Listen on TCP although the peers cannot be authenticated.
    pub(crate) insecure_no_auth: bool,
}

/// Why a server cannot listen on an address. Nothing that is not its own was touched.
#[derive(Debug)]
#[non_exhaustive]
pub enum BindError {
    /// The path does not fit into the kernel's `sun_path`.
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// The longest path that fits, in bytes.
        limit: usize,
    },
    /// The directory of the socket is not there.
    NoDirectory {
        /// The directory.
        directory: PathBuf,
    },
    /// Somebody else could replace files in the directory of the socket.
    UnsafeDirectory {
        /// The directory.
        directory: PathBuf,
        /// The user it belongs to.
        owner: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// A server listens on the path already.
    AddrInUse {
        /// The path of the socket.
        path: PathBuf,
        /// The process that holds the lock, or else the one that called `listen`, where known.
        pid: Option<NonZeroU32>,
        /// Whether that server holds `PATH.lock`, as those of dip do. When it does not, it is another
        /// program, or a child that inherited the socket from a server that has ended.
        holds_lock: bool,
    },
    /// A server listens on the TCP port already.
    PortInUse {
        /// The address.
        address: Address,
    },
    /// A listener of this process has the name of a `mem:` address already.
    NameInUse {
        /// The name.
        name: String,
    },
    /// A socket cannot be taken over from the parent process or systemd.
    Inherit(InheritError),
    /// Something that is not a socket is in the way.
    NotASocket {
        /// The path of the socket.
        path: PathBuf,
        /// Whether it is a directory.
        directory: bool,
    },
    /// A socket of another user is in the way.
    NotOurs {
        /// The path of the socket.
        path: PathBuf,
        /// The user it belongs to.
        owner: u32,
    },
    /// What is at `PATH.lock` is not a plain file of this user.
    LockNotOurs {
        /// The path of the lock file.
        path: PathBuf,
        /// The user it belongs to.
        owner: u32,
    },
    /// The access names a group that the group database does not know.
    UnknownGroup {
        /// The name of the group.
        name: String,
    },
    /// TCP peers cannot be authenticated, and the server did not say that they need not be.
    NoAuth {
        /// The address.
        address: Address,
    },
    /// The address can be reached from other machines.
    NotLoopback {
        /// The address.
        address: Address,
        /// What its host stands for.
        ip: IpAddr,
    },
    /// The operating system refused a step.
    Io {
        /// The step, as in "cannot *open the lock file*".
        step: &'static str,
        /// The file or the address it was about.
        at: String,
        /// What the system said.
        source: io::Error,
    },
}

impl BindError {
    pub(super) fn io(step: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io { step, at: path.display().to_string(), source: source.into() }
    }
}

impl From<InheritError> for BindError {
    fn from(error: InheritError) -> Self {
        Self::Inherit(error)
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PathTooLong { path, limit } => write!(
                f,
                "the path {path:?} is {} bytes long, a socket's is at most {limit}; \
                 choose a shorter one",
                path.as_os_str().len()
            ),
            Self::NoDirectory { directory } => write!(
                f,
                "there is no directory {directory:?} for the socket; create it, with mode 0700"
            ),
            Self::UnsafeDirectory { directory, owner, mode } => {
                let who = if mode & 0o1002 == 0o002 { "every user" } else { "its owner" };
                write!(
                    f,
                    "{who} could replace the socket in the directory {directory:?} (mode \
                     {mode:04o}, uid {owner}); use one of your own with mode 0700, or, where \
                     nobody else can reach it (a Kubernetes emptyDir), say `trust_directory = true`"
                )
            }
            Self::AddrInUse { path, pid, holds_lock } => {
                write!(f, "a server listens on {path:?} already")?;
                if let Some(pid) = pid {
                    write!(f, ", process {pid}")?;
                }
                if !holds_lock {
                    f.write_str(
                        ", without a lock (not a server of dip, or a child it left behind)",
                    )?;
                }
                f.write_str("; stop it or choose another path")
            }
            Self::PortInUse { address } => write!(
                f,
                "a server listens on {:?} already; stop it or choose another port",
                address.to_string()
            ),
            Self::NameInUse { name } => write!(
                f,
                "a listener of this process has the name {name:?} already; stop it or choose \
                 another name"
            ),
            Self::Inherit(error) => error.fmt(f),
            Self::NotASocket { path, directory: true } => {
                write!(
                    f,
                    "{path:?} is a directory, not a socket; choose a path in it, or another one"
                )
            }
            Self::NotASocket { path, directory: false } => write!(
                f,
                "{path:?} is not a socket and is left alone; remove it or choose another path"
            ),
            Self::NotOurs { path, owner } => write!(
                f,
                "the socket {path:?} belongs to uid {owner} and is left alone; \
                 remove it or choose another path"
            ),
            Self::LockNotOurs { path, owner } => write!(
                f,
                "the lock file {path:?} is not a plain file of this user, but of uid {owner}; \
                 remove it or choose another path for the socket"
            ),
            Self::UnknownGroup { name } => write!(
                f,
                "there is no group {name:?} on this machine; create it, \
                 or name another with `access = Access::group(..)`"
            ),
            Self::NoAuth { address } => write!(
                f,
                "every local user could connect to {:?}, for TCP peers are not authenticated; \
                 use a Unix socket, or say `insecure_no_auth = true`",
                address.to_string()
            ),
            Self::NotLoopback { address, ip } => write!(
                f,
                "{:?} stands for {ip}, which other machines reach, and dip has no TLS yet; \
                 listen on tcp:localhost:PORT",
                address.to_string()
            ),
            Self::Io { step, at, .. } => write!(f, "cannot {step} {at:?}"),
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Inherit(error) => error.source(),
            _ => None,
        }
    }
}
