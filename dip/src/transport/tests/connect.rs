//! Reaching a server, and the bytes to it.

use std::io::IoSlice;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// Connections that leave no room for another.
pub(super) fn fill_backlog(listener: &UnixListener, path: &Path) -> Vec<OwnedFd> {
    rustix::net::listen(listener, 1).unwrap();
    let address = SocketAddrUnix::new(path).unwrap();
    let mut held = Vec::new();
    loop {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
        match rustix::net::connect(&socket, &address) {
            Ok(()) => held.push(socket),
            Err(rustix::io::Errno::AGAIN) => return held,
            Err(error) => panic!("{error}"),
        }
    }
}

async fn pair() -> (tempfile::TempDir, Stream, Stream) {
    let directory = directory();
    let mut listener = bind(&directory.path().join("run.sock")).await.unwrap();
    let client = dial(&listener.local_addr().clone()).await.unwrap();
    let server = accept(&mut listener).await;
    (directory, client, server)
}

#[tokio::test]
async fn a_missing_server_is_an_error_at_once_that_says_how_it_is_missing() {
    let directory = directory();
    let path = directory.path().join("run.sock");
    let missing = dial(&path.as_path().into()).await.unwrap_err();
    assert!(
        matches!(missing, ConnectError::NoServer { absence: Absence::Missing, .. }),
        "{missing:?}"
    );
    drop(UnixListener::bind(&path).unwrap());
    let refused = dial(&path.as_path().into()).await.unwrap_err();
    assert!(
        matches!(refused, ConnectError::NoServer { absence: Absence::Refused, .. }),
        "{refused:?}"
    );
    assert!(refused.to_string().contains("nobody listens there"), "{refused}");
}

#[tokio::test]
async fn a_full_backlog_is_waited_out() {
    let directory = directory();
    let path = directory.path().join("run.sock");
    let server = UnixListener::bind(&path).unwrap();
    let held = fill_backlog(&server, &path);
    let address = Address::from(path);
    let client = tokio::spawn(async move { dial(&address).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!client.is_finished());
    for _ in held {
        server.accept().unwrap();
    }
    client.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_backlog_that_stays_full_ends_at_the_deadline() {
    let directory = directory();
    let path = directory.path().join("run.sock");
    let server = UnixListener::bind(&path).unwrap();
    let _held = fill_backlog(&server, &path);
    let start = Instant::now();
    let deadline = start + Duration::from_millis(120);
    let error = connect(&path.into(), &Access::same_uid(), deadline).await.unwrap_err();
    assert!(matches!(error, ConnectError::TimedOut { .. }), "{error:?}");
    assert!(start.elapsed() >= Duration::from_millis(120));
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn two_hundred_clients_get_through_a_backlog_of_one() {
    let directory = directory();
    let path = directory.path().join("run.sock");
    let server = UnixListener::bind(&path).unwrap();
    rustix::net::listen(&server, 1).unwrap();
    let accepting = std::thread::spawn(move || {
        for _ in 0..200 {
            server.accept().unwrap();
        }
    });
    let clients: Vec<_> = (0..200)
        .map(|_| {
            let address = Address::from(path.as_path());
            tokio::spawn(async move { dial(&address).await.map(drop) })
        })
        .collect();
    for client in clients {
        client.await.unwrap().unwrap();
    }
    accepting.join().unwrap();
}

#[tokio::test]
async fn both_ends_know_the_process_at_the_other() {
    let (_directory, client, server) = pair().await;
    for stream in [&client, &server] {
        let peer = stream.credentials().unwrap();
        assert_eq!(peer.uid, credentials::own_uid());
        assert_eq!(peer.pid.unwrap().get(), std::process::id());
        assert!(stream.credentials().is_some());
    }
}

#[tokio::test]
async fn another_user_is_kept_out_by_the_mode() {
    if !is_root() {
        return;
    }
    let directory = directory();
    let path = directory.path().join("run.sock");
    let _listener = bind(&path).await.unwrap();
    let said = Actor::start_as(NOBODY, "connect", &path).says();
    assert!(said.starts_with("Denied"), "{said}");
}

#[tokio::test]
async fn another_user_that_gets_past_the_mode_is_refused_by_its_credentials() {
    if !is_root() {
        return;
    }
    let directory = directory();
    let path = directory.path().join("run.sock");
    // The mode is wide because of the second user; the first is still not welcome.
    let mut listener = bind_for(&path, Access::uids([NOBODY - 1])).await.unwrap();
    let mut client = Actor::start_as(NOBODY, "connect", &path);
    let stream = accept(&mut listener).await;
    let refusal = listener.access().admit(stream.credentials()).await.unwrap_err().to_string();
    assert!(refusal.contains("uid 65534 may not connect to this server of uid 0"), "{refusal}");
    assert!(refusal.contains("access = Access::uids([65534])"), "{refusal}");
    // A server of root is trusted by everybody.
    assert_eq!(client.says(), "connected to uid 0");
}

#[tokio::test]
async fn a_server_of_another_user_is_refused_unless_the_access_admits_it() {
    if !is_root() {
        return;
    }
    let directory = directory();
    std::os::unix::fs::chown(directory.path(), Some(NOBODY), None).unwrap();
    let path = directory.path().join("run.sock");
    let mut squatter = Actor::start_as(NOBODY, "bind for all", &path);
    assert_eq!(squatter.says(), "bound");

    let error = dial(&path.as_path().into()).await.unwrap_err();
    assert!(matches!(error, ConnectError::WrongUid { server: NOBODY, ours: 0, .. }), "{error:?}");
    assert!(error.to_string().contains("access = Access::uids([65534])"), "{error}");
    let access = Access::uids([NOBODY]);
    connect(&path.into(), &access, soon()).await.unwrap();
}

#[tokio::test]
async fn many_slices_arrive_in_order() {
    let (_directory, mut client, mut server) = pair().await;
    let bytes: Vec<u8> = (0..5000_u32).map(|n| n as u8).collect();
    let slices: Vec<_> = bytes.chunks(2).map(IoSlice::new).collect();
    assert!(slices.len() > 1024);
    let written = client.write_vectored(&slices).await.unwrap();
    client.write_all(&bytes[written..]).await.unwrap();
    client.shutdown().await.unwrap();
    let mut got = Vec::new();
    server.read_to_end(&mut got).await.unwrap();
    assert_eq!(got, bytes);
}

#[tokio::test]
async fn a_slow_reader_makes_the_writer_wait() {
    let (_directory, mut client, mut server) = pair().await;
    let writer = tokio::spawn(async move {
        client.write_all(&vec![7; 8 << 20]).await.unwrap();
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!writer.is_finished());
    let mut got = Vec::new();
    server.read_to_end(&mut got).await.unwrap();
    assert_eq!(got.len(), 8 << 20);
    writer.await.unwrap();
}

#[tokio::test]
async fn writing_to_a_peer_that_has_gone_is_an_error() {
    let (_directory, mut client, server) = pair().await;
    drop(server);
    let error = client.write_all(b"x").await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    let error = client.write_vectored(&[IoSlice::new(b"x")]).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn a_path_that_is_no_socket_is_not_taken_for_a_server_that_is_away() {
    let directory = directory();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    for path in [file.as_path(), directory.path()] {
        let error = dial(&path.into()).await.unwrap_err();
        assert!(matches!(error, ConnectError::NotASocket { .. }), "{error:?}");
        assert!(error.to_string().contains("is not a socket"), "{error}");
    }
}
