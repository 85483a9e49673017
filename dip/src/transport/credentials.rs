//! Which process is at the other end of a Unix socket.

use std::io;
use std::num::NonZeroU32;

use tokio::net::UnixStream;

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
    pub(super) fn of_peer(stream: &UnixStream) -> io::Result<Self> {
        let peer = stream.peer_cred()?;
        let pid = peer.pid().and_then(|pid| u32::try_from(pid).ok()).and_then(NonZeroU32::new);
        Ok(Self { uid: peer.uid(), gid: peer.gid(), pid })
    }
}

/// The user this process acts as, whose files it makes.
pub(super) fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}
