//! A stream that somebody else has opened: memory, standard input and output, TLS.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::unconstrained;

/// What is read and written like a socket.
trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Bytes for S {}

/// Any stream, with what a socket has and it may lack: its bytes leave without a flush, and one can
/// look whether something came.
pub(super) struct Foreign {
    stream: Box<dyn Bytes>,
    /// The byte that was read to see whether something came.
    peeked: Option<u8>,
    /// Bytes that were written may still be in a buffer of the stream.
    unflushed: bool,
}

impl Foreign {
    pub(super) fn new(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self { stream: Box::new(stream), peeked: None, unflushed: false }
    }

    /// Whether the peer has neither sent anything that was not read, nor left, nor is broken, as far
    /// as the stream knows without waiting.
    pub(super) fn is_quiet(&mut self) -> bool {
        if self.peeked.is_some() {
            return false;
        }
        let mut byte = [0];
        let mut buf = ReadBuf::new(&mut byte);
        let read = poll_fn(|cx| Pin::new(&mut self.stream).poll_read(cx, &mut buf));
        // A task that has used up its budget would be told that there is nothing.
        let read = pin!(unconstrained(read)).poll(&mut Context::from_waker(Waker::noop()));
        self.peeked = buf.filled().first().copied();
        read.is_pending()
    }

    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.flush(cx);
        if buf.remaining() > 0
            && let Some(byte) = self.peeked.take()
        {
            buf.put_slice(&[byte]);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }

    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.stream);
        let written = match slices {
            [bytes] => stream.poll_write(cx, bytes),
            _ => stream.poll_write_vectored(cx, slices),
        };
        if let Poll::Ready(Ok(1..)) = written {
            self.unflushed = true;
            self.flush(cx);
        }
        written
    }

    /// Lets the bytes go that the stream holds back. Whoever drives a connection reads all the time,
    /// and what is not done now goes on then; what fails is seen by the next read or write.
    fn flush(&mut self, cx: &mut Context<'_>) {
        if self.unflushed {
            self.unflushed = Pin::new(&mut self.stream).poll_flush(cx).is_pending();
        }
    }

    pub(super) fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream, DuplexStream, duplex};
    use tokio::time::timeout;

    use super::super::stream::Stream;

    /// The next bytes; a test that waits in vain fails.
    async fn next<const N: usize>(peer: &mut DuplexStream) -> [u8; N] {
        let mut got = [0; N];
        let read = timeout(Duration::from_secs(5), peer.read_exact(&mut got)).await;
        read.expect("nothing came").unwrap();
        got
    }

    #[tokio::test]
    async fn a_stream_is_quiet_until_the_peer_sends_or_leaves_and_nothing_is_lost() {
        let (ours, mut peer) = duplex(64);
        let mut stream = Stream::over(ours);
        assert!(stream.is_quiet());
        peer.write_all(b"xyz").await.unwrap();
        assert!(!stream.is_quiet());
        assert!(!stream.is_quiet());
        let mut got = [0; 3];
        stream.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"xyz");
        assert!(stream.is_quiet());
        drop(peer);
        assert!(!stream.is_quiet());
        assert_eq!(stream.read(&mut got).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_task_without_budget_still_sees_that_something_came() {
        let (ours, mut peer) = duplex(64);
        let mut stream = Stream::over(ours);
        peer.write_all(b"x").await.unwrap();
        while tokio::task::coop::has_budget_remaining() {
            tokio::task::coop::consume_budget().await;
        }
        assert!(!stream.is_quiet());
    }

    #[tokio::test]
    async fn what_is_written_leaves_without_a_flush() {
        let (ours, mut peer) = duplex(64);
        let mut stream = Stream::over(BufStream::new(ours));
        stream.write_all(b"ok").await.unwrap();
        assert_eq!(&next(&mut peer).await, b"ok");
    }

    #[tokio::test]
    async fn what_could_not_leave_at_once_leaves_while_the_stream_is_read() {
        let (ours, mut peer) = duplex(1);
        let mut stream = Stream::over(BufStream::new(ours));
        stream.write_all(b"hello").await.unwrap();
        let reader = tokio::spawn(async move { stream.read_u8().await });
        assert_eq!(&next(&mut peer).await, b"hello");
        peer.write_all(b"x").await.unwrap();
        assert_eq!(reader.await.unwrap().unwrap(), b'x');
    }

    #[tokio::test]
    async fn slices_are_passed_on_where_the_stream_takes_them() {
        let (ours, mut peer) = tokio::net::UnixStream::pair().unwrap();
        let mut stream = Stream::over(ours);
        assert!(stream.is_write_vectored());
        let slices = [std::io::IoSlice::new(b"ab"), std::io::IoSlice::new(b"cd")];
        assert_eq!(stream.write_vectored(&slices).await.unwrap(), 4);
        let mut got = [0; 4];
        peer.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"abcd");
        assert!(stream.credentials().is_none());
    }
}
