//! What comes over a socket, whatever of it the runtime watches.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, split};
use tokio::task::coop;
use tokio::time::timeout_at;

use super::super::stream::Watch;
use super::*;

/// More than a socket holds.
const MUCH: usize = 4 << 20;

/// Every kind of stream over a socket.
fn unix_pairs() -> Vec<(Stream, UnixStream)> {
    let pair = |watch| {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (Stream::watched(ours.into(), watch).unwrap(), theirs)
    };
    vec![pair(Watch::Reading), pair(Watch::Both)]
}

fn tcp_pairs() -> Vec<(Stream, std::net::TcpStream)> {
    let pair = |watch| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        ours.set_nonblocking(true).unwrap();
        (Stream::watched(ours.into(), watch).unwrap(), listener.accept().unwrap().0)
    };
    vec![pair(Watch::Reading), pair(Watch::Both)]
}

/// What comes of it; a test that waits in vain fails.
async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout_at(soon(), future).await.expect("nothing happened")
}

/// Lets the runtime see what the kernel has to say.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

/// Reads on a thread of its own until the end.
fn drain(mut peer: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut got = Vec::new();
        peer.read_to_end(&mut got).unwrap();
        got
    })
}

async fn is_pending(stream: &mut Stream) -> bool {
    std::future::poll_fn(|cx| {
        let mut byte = [0; 1];
        Poll::Ready(Pin::new(&mut *stream).poll_read(cx, &mut ReadBuf::new(&mut byte)).is_pending())
    })
    .await
}

#[tokio::test]
async fn an_end_that_came_with_the_bytes_is_seen_after_them() {
    for (mut stream, mut peer) in unix_pairs() {
        peer.write_all(b"last words").unwrap();
        drop(peer);
        let mut got = Vec::new();
        within(stream.read_to_end(&mut got)).await.unwrap();
        assert_eq!(got, b"last words");
    }
    for (mut stream, mut peer) in tcp_pairs() {
        peer.write_all(b"last words").unwrap();
        drop(peer);
        let mut got = Vec::new();
        within(stream.read_to_end(&mut got)).await.unwrap();
        assert_eq!(got, b"last words");
    }
}

#[tokio::test]
async fn an_end_that_comes_between_the_readiness_and_the_read_is_seen() {
    for (mut stream, mut peer) in unix_pairs() {
        let mut buffer = [0; 64];
        assert!(is_pending(&mut stream).await);
        peer.write_all(b"x").unwrap();
        // The runtime has heard of the byte alone.
        settle().await;
        drop(peer);
        assert_eq!(within(stream.read(&mut buffer)).await.unwrap(), 1);
        assert_eq!(within(stream.read(&mut buffer)).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn bytes_that_come_after_a_short_read_are_seen() {
    for (mut stream, mut peer) in unix_pairs() {
        let mut buffer = [0; 64];
        for _ in 0..100 {
            peer.write_all(b"xy").unwrap();
            assert_eq!(within(stream.read(&mut buffer)).await.unwrap(), 2);
            assert!(is_pending(&mut stream).await);
        }
    }
}

#[tokio::test]
async fn a_read_that_fills_its_buffer_leaves_the_rest_for_the_next() {
    for (mut stream, mut peer) in unix_pairs() {
        let sent = pattern(100_000);
        peer.write_all(&sent).unwrap();
        let mut got = Vec::new();
        for room in [1, 10, 16 << 10, 5, 40_000] {
            let mut part = vec![0; room];
            let read = within(stream.read(&mut part)).await.unwrap();
            got.extend_from_slice(&part[..read]);
        }
        let mut rest = vec![0; sent.len() - got.len()];
        within(stream.read_exact(&mut rest)).await.unwrap();
        got.extend_from_slice(&rest);
        assert!(got == sent);
        assert!(is_pending(&mut stream).await);
    }
}

#[tokio::test]
async fn a_vector_is_filled_up_to_its_limit() {
    use bytes::BufMut;
    for (mut stream, mut peer) in unix_pairs() {
        peer.write_all(b"abcdefgh").unwrap();
        let mut got = Vec::with_capacity(64);
        got.push(b'@');
        for limit in [3, 63] {
            let read = std::future::poll_fn(|cx| stream.poll_fill(cx, || (&mut got).limit(limit)));
            within(read).await.unwrap();
        }
        assert_eq!(got, b"@abcdefgh");
        drop(peer);
        let read = std::future::poll_fn(|cx| stream.poll_fill(cx, || (&mut got).limit(63)));
        assert_eq!(within(read).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn half_a_close_ends_one_direction_only() {
    for (mut stream, mut peer) in unix_pairs() {
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(within(stream.read(&mut [0; 8])).await.unwrap(), 0);
        within(stream.write_all(b"still")).await.unwrap();
        within(stream.shutdown()).await.unwrap();
        let mut got = Vec::new();
        peer.read_to_end(&mut got).unwrap();
        assert_eq!(got, b"still");
    }
    for (mut stream, mut peer) in tcp_pairs() {
        within(stream.shutdown()).await.unwrap();
        assert_eq!(peer.read(&mut [0; 8]).unwrap(), 0);
        peer.write_all(b"still").unwrap();
        drop(peer);
        let mut got = Vec::new();
        within(stream.read_to_end(&mut got)).await.unwrap();
        assert_eq!(got, b"still");
        // The peer has left, which `shutdown` is not there to tell.
        within(stream.shutdown()).await.unwrap();
    }
}

#[tokio::test]
async fn a_reset_is_an_error_and_not_the_end() {
    for (mut stream, mut peer) in tcp_pairs() {
        within(stream.write_all(b"unread")).await.unwrap();
        peer.read_exact(&mut [0]).unwrap();
        drop(peer);
        let error = within(stream.read(&mut [0; 8])).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    for (mut stream, peer) in unix_pairs() {
        assert!(is_pending(&mut stream).await);
        within(stream.write_all(b"unread")).await.unwrap();
        drop(peer);
        let error = within(stream.read(&mut [0; 8])).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        let error = within(stream.write_all(b"more")).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    }
}

#[tokio::test]
async fn a_slow_reader_gets_everything() {
    for (mut stream, mut peer) in unix_pairs() {
        let sent = pattern(MUCH);
        let reader = std::thread::spawn(move || {
            let (mut got, mut part) = (Vec::new(), vec![0; 150_000]);
            loop {
                std::thread::sleep(Duration::from_millis(1));
                match peer.read(&mut part).unwrap() {
                    0 => return got,
                    read => got.extend_from_slice(&part[..read]),
                }
            }
        });
        within(stream.write_all(&sent)).await.unwrap();
        within(stream.shutdown()).await.unwrap();
        assert!(reader.join().unwrap() == sent);
    }
}

#[tokio::test]
async fn a_peer_that_stalls_often_is_written_to_each_time() {
    for (mut stream, mut peer) in unix_pairs() {
        peer.set_nonblocking(true).unwrap();
        let part = pattern(300_000);
        let mut got = Vec::new();
        for _ in 0..5 {
            // Until it is full, and then as much as it takes to forget that.
            let mut written =
                tokio::spawn(
                    async move { stream.write_all(&pattern(300_000)).await.map(|()| stream) },
                );
            settle().await;
            assert!(!written.is_finished());
            got.clear();
            while got.len() < part.len() {
                _ = peer.read_to_end(&mut got);
                tokio::task::yield_now().await;
            }
            assert!(got == part);
            stream = within(&mut written).await.unwrap().unwrap();
            for _ in 0..40 {
                within(stream.write_all(b"small")).await.unwrap();
                peer.read_exact(&mut [0; 5]).unwrap();
            }
            // Reading has gone on all the time.
            peer.write_all(b"y").unwrap();
            assert_eq!(within(stream.read_u8()).await.unwrap(), b'y');
        }
    }
}

#[tokio::test]
async fn a_reader_goes_on_waiting_while_another_task_begins_and_ends_to_wait_for_room() {
    for (stream, mut peer) in unix_pairs() {
        let (mut input, mut output) = split(stream);
        let reader = tokio::spawn(async move { input.read_u8().await });
        settle().await;
        let writer = tokio::spawn(async move {
            output.write_all(&pattern(MUCH)).await.unwrap();
            for _ in 0..40 {
                output.write_all(b"small").await.unwrap();
            }
        });
        let mut echo = peer.try_clone().unwrap();
        let drained = tokio::task::spawn_blocking(move || {
            peer.read_exact(&mut vec![0; MUCH + 40 * 5]).unwrap();
        });
        within(writer).await.unwrap();
        within(drained).await.unwrap();
        assert!(!reader.is_finished());
        echo.write_all(b"x").unwrap();
        assert_eq!(within(reader).await.unwrap().unwrap(), b'x');
    }
}

async fn many_bytes_cross() {
    for (stream, peer) in unix_pairs() {
        let (mut input, mut output) = split(stream);
        let received = drain(peer.try_clone().unwrap());
        let sender = std::thread::spawn(move || {
            (&peer).write_all(&pattern(MUCH)).unwrap();
            peer.shutdown(std::net::Shutdown::Write).unwrap();
        });
        let reader = tokio::spawn(async move {
            let mut got = Vec::new();
            input.read_to_end(&mut got).await.map(|_| got)
        });
        within(output.write_all(&pattern(MUCH))).await.unwrap();
        within(output.shutdown()).await.unwrap();
        assert!(within(reader).await.unwrap().unwrap() == pattern(MUCH));
        assert!(received.join().unwrap() == pattern(MUCH));
        sender.join().unwrap();
    }
}

#[tokio::test]
async fn many_bytes_cross_on_one_thread() {
    many_bytes_cross().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_bytes_cross_on_several_threads() {
    many_bytes_cross().await;
}

#[tokio::test]
async fn a_peer_that_leaves_while_a_writer_waits_for_room_ends_the_wait() {
    for (mut stream, peer) in unix_pairs() {
        let writer = tokio::spawn(async move { stream.write_all(&pattern(MUCH)).await });
        settle().await;
        assert!(!writer.is_finished());
        drop(peer);
        let error = within(writer).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    }
    for (mut stream, peer) in tcp_pairs() {
        let writer = tokio::spawn(async move { stream.write_all(&pattern(8 * MUCH)).await });
        settle().await;
        assert!(!writer.is_finished());
        drop(peer);
        within(writer).await.unwrap().unwrap_err();
    }
}

#[tokio::test]
async fn without_budget_nobody_looks_and_the_task_is_polled_again() {
    for (mut stream, mut peer) in unix_pairs() {
        peer.write_all(b"x").unwrap();
        settle().await;
        while coop::has_budget_remaining() {
            coop::consume_budget().await;
        }
        assert!(is_pending(&mut stream).await);
        assert!(!coop::has_budget_remaining());
        tokio::task::yield_now().await;
        assert!(coop::has_budget_remaining());
        assert_eq!(within(stream.read_u8()).await.unwrap(), b'x');
        // There is budget, so somebody has looked.
        assert!(is_pending(&mut stream).await);
        assert!(coop::has_budget_remaining());
    }
}

#[tokio::test]
async fn a_task_that_writes_all_the_time_lets_others_run() {
    for (mut stream, peer) in unix_pairs() {
        let drained = drain(peer);
        let mut writes = 0;
        while coop::has_budget_remaining() && writes < 10_000 {
            stream.write_all(b"x").await.unwrap();
            writes += 1;
        }
        assert!(writes < 10_000);
        drop(stream);
        assert_eq!(drained.join().unwrap().len(), writes);
    }
}

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_peer_that_takes_what_was_written_wakes_nobody() {
    let (ours, mut peer) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let mut stream = Stream::watched(OwnedFd::from(ours), Watch::Reading).unwrap();
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&count));
    let mut cx = Context::from_waker(&waker);
    let mut read = |stream: &mut Stream| {
        let mut byte = [0];
        Pin::new(stream).poll_read(&mut cx, &mut ReadBuf::new(&mut byte)).is_ready()
    };
    for _ in 0..10 {
        assert!(!read(&mut stream));
        let sent = Pin::new(&mut stream).poll_write(&mut Context::from_waker(Waker::noop()), b"x");
        assert!(matches!(sent, Poll::Ready(Ok(1))));
        peer.read_exact(&mut [0]).unwrap();
        settle().await;
    }
    assert_eq!(count.0.load(Ordering::SeqCst), 0);
    peer.write_all(b"y").unwrap();
    settle().await;
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    assert!(read(&mut stream));
}

#[test]
fn after_the_runtime_a_stream_fails_instead_of_waiting() {
    for kind in 0..2 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (mut stream, peer) = {
            let _inside = runtime.enter();
            unix_pairs().remove(kind)
        };
        drop(runtime);
        let mut cx = Context::from_waker(Waker::noop());
        let mut byte = [0];
        let read = Pin::new(&mut stream).poll_read(&mut cx, &mut ReadBuf::new(&mut byte));
        assert!(matches!(read, Poll::Ready(Err(_))), "{read:?}");
        let part = pattern(MUCH);
        let failed = (0..10).find_map(|_| match Pin::new(&mut stream).poll_write(&mut cx, &part) {
            Poll::Ready(written) => written.err(),
            Poll::Pending => panic!("who would wake it?"),
        });
        assert!(failed.is_some());
        drop(drain(peer));
        // The last words need no runtime.
        let slices = [std::io::IoSlice::new(b"bye")];
        let deadline = std::time::Instant::now() + Duration::from_secs(5);
        assert_eq!(stream.write_now(&slices, deadline).unwrap(), 3);
    }
}
