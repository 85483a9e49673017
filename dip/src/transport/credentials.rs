//! Which process is at the other end of a Unix socket.

use std::io;
use std::num::NonZeroU32;
use std::os::fd::AsFd;

#[cfg(any(target_os = "linux", target_os = "android"))]
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

/// Who is at the other end of a Unix socket, as the kernel says.
///
/// They are those of the moment of `connect` (seen from the server) or `listen` (seen from the
/// client): a process that drops its privileges later, or hands its descriptor on, is still seen
/// with the old ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Credentials {
    /// The effective user id.
    pub(crate) uid: u32,
    /// The effective group id.
    pub(crate) gid: u32,
    /// The process id, for people to read: it may have ended, and its number be another's by now.
    /// `None` when it lives in another pid namespace, or the system does not tell.
    pub(crate) pid: Option<NonZeroU32>,
}

impl Credentials {
    /// Those of this process.
    pub(super) fn own() -> Self {
        let gid = rustix::process::getegid().as_raw();
        Self { uid: own_uid(), gid, pid: NonZeroU32::new(std::process::id()) }
    }

    /// Those of the process at the other end.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn of_socket(socket: impl AsFd) -> io::Result<Self> {
        let peer = getsockopt(&socket, PeerCredentials)?;
        let pid = u32::try_from(peer.pid()).ok().and_then(NonZeroU32::new);
        Ok(Self { uid: peer.uid(), gid: peer.gid(), pid })
    }

    /// Those of the process at the other end.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(super) fn of_socket(socket: impl AsFd) -> io::Result<Self> {
        let (uid, gid) = nix::unistd::getpeereid(socket)?;
        Ok(Self { uid: uid.as_raw(), gid: gid.as_raw(), pid: None })
    }
}

/// The user this process acts as, whose files it makes.
pub(super) fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}
