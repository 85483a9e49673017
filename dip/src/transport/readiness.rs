//! Sockets that tokio's driver watches for bytes to read, and for nothing else.
//!
//! tokio's own sockets are watched for both directions, edge by edge. Each time the peer takes bytes
//! off such a socket, the kernel says that there is room again, which nobody has asked: a side that
//! waits for an answer wakes up twice.
//!
//! Bytes are received where they are to be, without zeros being put there first.

#![allow(unsafe_code)]

use std::cell::{LazyCell, RefCell};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::BufMut;
use bytes::buf::Limit;
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{RecvFlags, recv};
use tokio::io::unix::AsyncFd;
use tokio::io::{Interest, ReadBuf};
use tokio::runtime::Handle;
use tokio::task::coop;

/// A connected socket that is watched for bytes to read, and for room to write while there is none.
///
/// What a descriptor is watched for cannot be changed, but it can be registered anew. That costs no
/// more than to register a duplicate, and cannot fail because descriptors have run out.
#[derive(Debug)]
pub(super) struct Registered {
    socket: Arc<OwnedFd>,
    /// `None` once the runtime has refused to watch it.
    watch: Option<Watch>,
    runtime: Handle,
    /// Who waits for bytes: a new registration does not know.
    reader: Option<Waker>,
    /// How many writes in a row must be taken whole until room is not watched for any more; 0 when it
    /// is not.
    wary: u8,
}

/// A descriptor that the driver watches.
pub(super) type Watch = AsyncFd<Arc<OwnedFd>>;

/// A peer that was slow may be slow again, and to look away and back costs four system calls.
const WARY: u8 = 16;

impl Registered {
    /// `socket` must not block.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, or in one without a driver for sockets, as tokio's own sockets do.
    #[track_caller]
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        let socket = Arc::new(socket);
        let watch = Some(watch(&socket, Interest::READABLE)?);
        let runtime = Handle::current();
        Ok(Self { socket, watch, runtime, reader: None, wary: 0 })
    }

    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = self.poll_recv(cx, |socket| {
            let asked = buf.remaining();
            // SAFETY: `recv` puts nothing but bytes there, and what was initialized stays so.
            let room = unsafe { buf.unfilled_mut() };
            let read = recv(socket, room, RecvFlags::empty())?.0.0.len();
            // SAFETY: so many bytes at the front are those that have come.
            unsafe { buf.assume_init(read) };
            buf.advance(read);
            Ok((read, asked))
        });
        read.map_ok(drop)
    }

    /// Reads as much as there is room for in the buffer, which is asked for when there is something.
    pub(super) fn poll_fill<'b>(
        &mut self,
        cx: &mut Context<'_>,
        buffer: impl FnOnce() -> Limit<&'b mut Vec<u8>>,
    ) -> Poll<io::Result<usize>> {
        let buffer = LazyCell::new(|| RefCell::new(buffer()));
        self.poll_recv(cx, |socket| {
            let mut buffer = buffer.borrow_mut();
            let room = buffer.remaining_mut();
            let buffer = buffer.get_mut();
            let (len, spare) = (buffer.len(), buffer.spare_capacity_mut());
            let asked = room.min(spare.len());
            let read = recv(socket, &mut spare[..asked], RecvFlags::empty())?.0.0.len();
            // SAFETY: so many bytes of what was spare have come.
            unsafe { buffer.set_len(len + read) };
            Ok((read, asked))
        })
    }

    /// Reads with `recv`, which says how many bytes it has asked for.
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        mut recv: impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<(usize, usize)>,
    ) -> Poll<io::Result<usize>> {
        let watch = self.watch.as_ref().ok_or_else(unwatched)?;
        loop {
            let Poll::Ready(ready) = watch.poll_read_ready(cx) else {
                match &mut self.reader {
                    Some(reader) => reader.clone_from(cx.waker()),
                    none => *none = Some(cx.waker().clone()),
                }
                return Poll::Pending;
            };
            let mut ready = ready?;
            match retry_on_intr(|| recv(self.socket.as_fd())) {
                Err(Errno::AGAIN) => ready.clear_ready(),
                read => {
                    let (read, asked) = read?;
                    // There was no more. What has come since makes a new edge; the end does so, too,
                    // or has come together with the bytes, and is not cleared.
                    if 0 < read && read < asked {
                        ready.clear_ready();
                    }
                    return Poll::Ready(Ok(read));
                }
            }
        }
    }

    /// Writes with `send`, which is given so many bytes.
    pub(super) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        given: usize,
        send: impl Fn(BorrowedFd<'_>) -> rustix::io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let send = |socket: &OwnedFd| retry_on_intr(|| send(socket.as_fd()));
        if self.wary == 0 {
            let budget = ready!(coop::poll_proceed(cx));
            match send(&self.socket) {
                Err(Errno::AGAIN) => drop(budget),
                written => {
                    budget.made_progress();
                    return Poll::Ready(Ok(written?));
                }
            }
            self.watch(Interest::READABLE | Interest::WRITABLE)?;
            self.wary = WARY;
        }
        let watch = self.watch.as_ref().ok_or_else(unwatched)?;
        let written = loop {
            let mut ready = ready!(watch.poll_write_ready(cx))?;
            match send(&self.socket) {
                Err(Errno::AGAIN) => ready.clear_ready(),
                written => {
                    let written = written?;
                    if written < given {
                        ready.clear_ready();
                    }
                    break written;
                }
            }
        };
        if written < given {
            self.wary = WARY;
        } else {
            self.wary -= 1;
        }
        if self.wary == 0 {
            // These bytes were taken. What fails here is seen by the next read.
            _ = self.watch(Interest::READABLE);
        }
        Poll::Ready(Ok(written))
    }

    /// The reader goes on waiting.
    fn watch(&mut self, interest: Interest) -> io::Result<()> {
        // A descriptor is registered once at a time.
        self.watch = None;
        let inside = self.runtime.enter();
        let watched = watch(&self.socket, interest);
        drop(inside);
        let reader = self.reader.take();
        let watch = match watched {
            Ok(watch) => self.watch.insert(watch),
            Err(error) => {
                reader.into_iter().for_each(Waker::wake);
                return Err(error);
            }
        };
        if let Some(reader) = reader {
            if watch.poll_read_ready(&mut Context::from_waker(&reader)).is_ready() {
                reader.wake_by_ref();
            }
            self.reader = Some(reader);
        }
        Ok(())
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// # Panics
///
/// Outside of a runtime, or in one without a driver for sockets.
#[track_caller]
pub(super) fn watch(socket: &Arc<OwnedFd>, interest: Interest) -> io::Result<Watch> {
    // SAFETY: what is registered owns a share of the descriptor, whose number does not change, and
    // which is not closed before the last share is dropped. `Stream` closes its number in a child
    // that was forked off, and then forgets what was registered.
    let watch = unsafe { AsyncFd::register_with_interest(Arc::clone(socket), interest) };
    Ok(watch?)
}

fn unwatched() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the runtime does not watch the socket any more")
}
