//! Streams and listeners within this process.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio::sync::mpsc;

use super::address::Address;
use super::bind::BindError;
use super::connect::{Absence, ConnectError};
use super::stream::Stream;

/// How many bytes one end may be ahead of the other, in each direction.
const CAPACITY: usize = 64 << 10;

/// How many connections wait to be accepted before the next `connect` waits.
const BACKLOG: usize = 128;

/// Two connected ends in memory, for tests without a socket.
///
/// What is written to one end is read from the other; each direction holds 64 KiB, then the writer
/// waits. An end that is dropped is a peer that leaves: the other reads what is still there and then
/// the end of the stream, and its writes fail with [`BrokenPipe`](io::ErrorKind::BrokenPipe).
///
/// ```
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let (mut ours, mut theirs) = dip::pair();
/// ours.write_all(b"ok").await?;
/// drop(ours);
///
/// let mut text = String::new();
/// theirs.read_to_string(&mut text).await?;
/// assert_eq!(text, "ok");
/// # Ok(()) }
/// ```
pub fn pair() -> (Duplex, Duplex) {
    let (ours, theirs) = duplex(CAPACITY);
    (Duplex(ours), Duplex(theirs))
}

/// One end of a [`pair`]: a stream of bytes in memory.
#[derive(Debug)]
pub struct Duplex(DuplexStream);

impl AsyncRead for Duplex {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Duplex {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// The names that are taken, and the way to their listeners.
static LISTENERS: Mutex<BTreeMap<String, mpsc::Sender<Stream>>> = Mutex::new(BTreeMap::new());

fn listeners() -> MutexGuard<'static, BTreeMap<String, mpsc::Sender<Stream>>> {
    // Nothing panics while it is held.
    LISTENERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A listener within this process. Its name is free again when it is dropped.
#[derive(Debug)]
pub(super) struct MemoryListener {
    name: String,
    incoming: mpsc::Receiver<Stream>,
    process: u32,
}

impl MemoryListener {
    pub(super) fn bind(name: &str) -> Result<Self, BindError> {
        match listeners().entry(name.to_owned()) {
            Entry::Occupied(_) => Err(BindError::NameInUse { name: name.to_owned() }),
            Entry::Vacant(free) => {
                let (connecting, incoming) = mpsc::channel(BACKLOG);
                free.insert(connecting);
                Ok(Self { name: name.to_owned(), incoming, process: std::process::id() })
            }
        }
    }

    /// The next connection. There is always one to wait for: the name keeps the way open.
    pub(super) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Stream> {
        match self.incoming.poll_recv(cx) {
            Poll::Ready(Some(stream)) => Poll::Ready(stream),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for MemoryListener {
    fn drop(&mut self) {
        // In a child that was forked off, a thread that is not there may hold the lock for ever.
        if self.process == std::process::id() {
            listeners().remove(&self.name);
        }
    }
}

/// Connects to the listener of that name; a full backlog is waited out.
///
/// Cancel safe.
pub(super) async fn connect(address: &Address, name: &str) -> Result<Stream, ConnectError> {
    let nobody = || ConnectError::NoServer { address: address.clone(), absence: Absence::Refused };
    let listener = listeners().get(name).cloned().ok_or_else(nobody)?;
    let (ours, theirs) = duplex(CAPACITY);
    listener.send(Stream::memory(theirs)).await.map_err(|_| nobody())?;
    Ok(Stream::memory(ours))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_writer_waits_once_64_kib_are_unread() {
        let (mut ours, mut theirs) = pair();
        let writer = tokio::spawn(async move { ours.write_all(&[7; CAPACITY + 1]).await });
        tokio::task::yield_now().await;
        assert!(!writer.is_finished());
        let mut got = Vec::new();
        theirs.read_to_end(&mut got).await.unwrap();
        assert_eq!(got.len(), CAPACITY + 1);
        writer.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_peer_that_leaves_breaks_the_write_that_waits_for_it() {
        let (mut ours, theirs) = pair();
        let writer = tokio::spawn(async move { ours.write_all(&[7; CAPACITY + 1]).await });
        tokio::task::yield_now().await;
        drop(theirs);
        let error = writer.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn an_end_that_is_shut_down_can_still_read() {
        let (mut ours, mut theirs) = pair();
        ours.shutdown().await.unwrap();
        assert_eq!(theirs.read(&mut [0]).await.unwrap(), 0);
        theirs.write_all(b"x").await.unwrap();
        assert_eq!(ours.read_u8().await.unwrap(), b'x');
    }
}
