use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::thread;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn pair() -> (Socket, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (Socket::over(ours.into()), theirs)
}

#[test]
fn a_read_ends_with_bytes_with_the_stream_or_at_the_deadline() {
    let (mut socket, mut peer) = pair();
    let begun = Instant::now();
    assert_eq!(socket.read(&mut [0; 8], begun + 50 * MS).unwrap(), None);
    assert!(begun.elapsed() >= 50 * MS, "{:?}", begun.elapsed());
    assert_eq!(socket.read(&mut [0; 8], begun + 250 * MS).unwrap(), None);
    assert!(begun.elapsed() >= 250 * MS, "{:?}", begun.elapsed());
    peer.write_all(b"abc").unwrap();
    let far = begun + 10_000 * MS;
    assert_eq!(socket.read(&mut [0; 8], begun).unwrap(), Some(3), "what is there is late never");
    let late = thread::spawn(move || {
        thread::sleep(20 * MS);
        peer.write_all(b"x").unwrap();
    });
    assert_eq!(socket.read(&mut [0; 8], far).unwrap(), Some(1));
    late.join().unwrap();
    assert_eq!(socket.read(&mut [0; 8], far).unwrap(), Some(0));
}

#[test]
fn a_socket_that_others_made_nonblocking_is_waited_for_all_the_same() {
    let (ours, mut peer) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let mut socket = Socket::over(ours.into());
    let begun = Instant::now();
    assert_eq!(socket.read(&mut [0], begun + 20 * MS).unwrap(), None);
    assert!(begun.elapsed() >= 20 * MS);
    peer.write_all(b"x").unwrap();
    assert_eq!(socket.read(&mut [0], Instant::now() + 1000 * MS).unwrap(), Some(1));
}

#[test]
fn patience_is_set_again_only_when_it_does_not_fit() {
    let (mut socket, _peer) = pair();
    let mut patience = |left: Duration| {
        assert!(socket.limit_patience(Instant::now() + left).unwrap());
        socket.patience.unwrap()
    };
    let first = patience(10_000 * MS);
    assert!(first < 8_000 * MS && first > 7_000 * MS);
    assert_eq!(patience(10_000 * MS), first);
    assert_eq!(patience(9_500 * MS), first);
    assert!(patience(5_000 * MS) < 4_000 * MS);
    assert!(patience(60_000 * MS) > 30_000 * MS);
    assert!(!socket.limit_patience(Instant::now() + 50 * MS).unwrap());
}

#[test]
fn a_full_socket_is_waited_for_and_says_that_there_is_something_to_read() {
    let (socket, mut peer) = pair();
    let chunk = vec![7; 64 << 10];
    while socket.write_now(&[IoSlice::new(&chunk)]).unwrap().is_some() {}
    assert_eq!(socket.room(Instant::now() + 10 * MS).unwrap(), None);
    peer.write_all(b"x").unwrap();
    assert_eq!(socket.room(Instant::now() + 10 * MS).unwrap(), Some(Ready::Read));
    assert_eq!(socket.read_now(&mut [0]).unwrap(), Some(1));
    assert_eq!(socket.read_now(&mut [0]).unwrap(), None);
    peer.set_nonblocking(true).unwrap();
    peer.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(socket.room(Instant::now() + 1000 * MS).unwrap(), Some(Ready::Write));
}

#[test]
fn writing_to_a_peer_that_is_gone_is_an_error() {
    let (socket, peer) = pair();
    assert!(socket.is_quiet());
    drop(peer);
    assert!(!socket.is_quiet());
    let error = socket.write_now(&[IoSlice::new(b"x")]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_backlog_is_waited_out_until_the_deadline() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let address = Address::from(path);
    let connect = |time| Socket::connect(&address, &Access::same_uid(), Instant::now() + time);
    let _first = connect(100 * MS).unwrap();
    let error = connect(100 * MS).unwrap_err();
    assert!(matches!(error, ConnectError::TimedOut { .. }), "{error}");
    let accepting = thread::spawn(move || {
        thread::sleep(50 * MS);
        [listener.accept().unwrap(), listener.accept().unwrap()]
    });
    connect(10_000 * MS).unwrap();
    accepting.join().unwrap();
}

#[test]
fn addresses_that_need_a_runtime_or_a_server_are_refused() {
    let connect = |address: &str| {
        let address = address.parse().unwrap();
        Socket::connect(&address, &Access::same_uid(), Instant::now() + 100 * MS).unwrap_err()
    };
    assert!(matches!(connect("mem:x"), ConnectError::NeedsRuntime { .. }));
    assert!(matches!(connect("systemd:"), ConnectError::ListensOnly { .. }));
    assert!(matches!(connect("tcp:192.0.2.1:9"), ConnectError::NotLoopback { .. }));
    assert!(matches!(connect("/nonexistent/s"), ConnectError::NoServer { .. }));
}
