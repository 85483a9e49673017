//! Sockets that listen, and the connected ones that come in.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use tokio::io::Interest;

use super::readiness::{Watch, watch};

/// A socket that listens.
///
/// tokio's listeners register what they accept for both directions, and it would have to be
/// registered once more.
#[derive(Debug)]
pub(super) struct Incoming(Watch);

impl Incoming {
    /// `socket` must not block.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, or in one without a driver for sockets.
    #[track_caller]
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        watch(&Arc::new(socket), Interest::READABLE).map(Self)
    }

    /// The next connected socket, which does not block.
    pub(super) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<OwnedFd>> {
        loop {
            let mut ready = ready!(self.0.poll_read_ready(cx))?;
            match accept(self.0.get_ref().as_fd()) {
                Err(Errno::AGAIN) => ready.clear_ready(),
                accepted => return Poll::Ready(Ok(accepted?)),
            }
        }
    }
}

#[cfg(not(target_vendor = "apple"))]
fn accept(socket: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
    use rustix::net::{SocketFlags, accept_with};

    accept_with(socket, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
}

#[cfg(target_vendor = "apple")]
fn accept(socket: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
    use rustix::io::{FdFlags, fcntl_setfd, ioctl_fionbio};
    use rustix::net::sockopt::set_socket_nosigpipe;

    let accepted = rustix::net::accept(socket)?;
    fcntl_setfd(&accepted, FdFlags::CLOEXEC)?;
    ioctl_fionbio(&accepted, true)?;
    set_socket_nosigpipe(&accepted, true)?;
    Ok(accepted)
}
