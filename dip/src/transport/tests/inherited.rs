//! `fd:N` with descriptors that this process has made inheritable itself.

use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

use rustix::fs::OFlags;
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_getfd, fcntl_setfd};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// What an inherited descriptor is: a number that is not closed on `exec`, and that no other test
/// takes meanwhile.
fn leave(socket: impl Into<OwnedFd>, number: RawFd) -> RawFd {
    let socket = fcntl_dupfd_cloexec(socket.into(), number).unwrap();
    assert_eq!(socket.as_raw_fd(), number, "the number is in use");
    fcntl_setfd(&socket, FdFlags::empty()).unwrap();
    socket.into_raw_fd()
}

async fn bind_fd(fd: RawFd) -> Result<Listener, BindError> {
    Listener::bind(&Address::Fd(fd), Options::default()).await
}

async fn dial_fd(fd: RawFd) -> Result<Stream, ConnectError> {
    dial(&Address::Fd(fd)).await
}

fn reason(error: BindError) -> InheritError {
    match error {
        BindError::Inherit(error) => error,
        error => panic!("{error:?}"),
    }
}

fn is_open(fd: RawFd) -> bool {
    Path::new(&format!("/proc/self/fd/{fd}")).exists()
}

#[tokio::test]
async fn a_listening_socket_serves_and_keeps_its_path() {
    let directory = directory();
    let path = directory.path().join("run.sock");
    let fd = leave(UnixListener::bind(&path).unwrap(), 500);
    let mut listener = bind_fd(fd).await.unwrap();
    assert_eq!(listener.local_addr(), &Address::from(path.as_path()));
    assert!(!is_open(fd));
    let mut client = dial(&path.as_path().into()).await.unwrap();
    let mut server = accept(&mut listener).await;
    assert_eq!(server.credentials().unwrap().pid.unwrap().get(), std::process::id());
    client.write_all(b"x").await.unwrap();
    assert_eq!(server.read_u8().await.unwrap(), b'x');

    std::fs::remove_file(&path).unwrap();
    assert!(listener.still_ours());
    std::fs::write(&path, "").unwrap();
    drop(listener);
    assert!(path.exists());
}

#[tokio::test]
async fn a_listening_tcp_socket_must_be_asked_for_without_authentication() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let fd = leave(socket, 510);
    let error = bind_fd(fd).await.unwrap_err();
    assert!(matches!(error, BindError::NoAuth { .. }), "{error:?}");

    // What was refused is left as it is.
    let options = Options { insecure_no_auth: true, ..Options::default() };
    let mut listener = Listener::bind(&Address::Fd(fd), options).await.unwrap();
    let address = Address::Tcp { host: "127.0.0.1".into(), port };
    assert_eq!(listener.local_addr(), &address);
    dial(&address).await.unwrap();
    assert_eq!(accept(&mut listener).await.credentials(), None);
}

#[tokio::test]
async fn a_tcp_socket_that_other_machines_reach_is_refused() {
    let fd = leave(TcpListener::bind("0.0.0.0:0").unwrap(), 520);
    let options = Options { insecure_no_auth: true, ..Options::default() };
    let error = Listener::bind(&Address::Fd(fd), options).await.unwrap_err();
    assert!(matches!(error, BindError::NotLoopback { .. }), "{error:?}");
    assert!(is_open(fd));
}

#[tokio::test]
async fn a_connected_socket_is_the_connection() {
    let (ours, parent) = UnixStream::pair().unwrap();
    let fd = leave(ours, 530);
    let mut stream = dial_fd(fd).await.unwrap();
    assert_eq!(stream.credentials().unwrap().uid, credentials::own_uid());
    parent.set_nonblocking(true).unwrap();
    let mut parent = tokio::net::UnixStream::from_std(parent).unwrap();
    parent.write_all(b"x").await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'x');
    // The first descriptor is closed: the parent sees the end of the stream.
    drop(stream);
    assert_eq!(parent.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_connected_tcp_socket_is_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let fd = leave(TcpStream::connect(listener.local_addr().unwrap()).unwrap(), 540);
    let stream = dial_fd(fd).await.unwrap();
    assert_eq!(stream.credentials(), None);
}

#[tokio::test]
async fn a_descriptor_is_taken_once() {
    let (ours, _parent) = UnixStream::pair().unwrap();
    let fd = leave(ours, 550);
    drop(dial_fd(fd).await.unwrap());
    let (other, _parent) = UnixStream::pair().unwrap();
    leave(other, 550);
    let error = dial_fd(fd).await.unwrap_err();
    assert!(matches!(error, ConnectError::Inherit(InheritError::Taken { fd: 550 })), "{error:?}");
    assert!(error.to_string().contains("the descriptor 550 was taken before"), "{error}");
    assert!(is_open(fd));
}

#[tokio::test]
async fn each_side_says_what_socket_it_needs() {
    let (stream, _peer) = UnixStream::pair().unwrap();
    let fd = leave(stream, 560);
    let error = reason(bind_fd(fd).await.unwrap_err());
    assert!(matches!(error, InheritError::NotListening { fd: 560 }), "{error:?}");
    assert!(error.to_string().contains("call listen"), "{error}");
    drop(dial_fd(fd).await.unwrap());

    let fd = leave(TcpListener::bind("127.0.0.1:0").unwrap(), 561);
    let error = dial_fd(fd).await.unwrap_err();
    let says = "the socket with the descriptor 561 is not connected; let the parent process pass";
    assert!(error.to_string().starts_with(says), "{error}");
}

#[tokio::test]
async fn what_is_no_stream_socket_is_refused_and_left_open() {
    let file = leave(tempfile::tempfile().unwrap(), 570);
    let datagram = leave(UnixDatagram::unbound().unwrap(), 571);
    for fd in [file, datagram] {
        let error = reason(bind_fd(fd).await.unwrap_err());
        assert!(matches!(error, InheritError::NotASocket { .. }), "{error:?}");
        assert!(matches!(
            dial_fd(fd).await,
            Err(ConnectError::Inherit(InheritError::NotASocket { .. }))
        ));
        assert!(is_open(fd));
    }
}

#[tokio::test]
async fn what_is_not_open_or_was_opened_here_is_not_inherited() {
    let ours = UnixListener::bind(directory().path().join("run.sock")).unwrap();
    for fd in [580, -1, ours.as_raw_fd()] {
        let error = reason(bind_fd(fd).await.unwrap_err());
        assert!(matches!(error, InheritError::NotInherited { .. }), "{error:?}");
        assert!(error.to_string().contains(&format!("the descriptor {fd} was not")), "{error}");
    }
    assert!(is_open(ours.as_raw_fd()));
}

#[tokio::test]
async fn what_is_taken_is_closed_on_exec_and_does_not_block() {
    let (ours, _parent) = UnixStream::pair().unwrap();
    let fd = leave(ours, 590);
    let taken = inherit::take(&[fd], inherit::connected).unwrap();
    let [inherit::Connected::Unix(socket)] = &taken[..] else { panic!() };
    assert_eq!(fcntl_getfd(socket).unwrap(), FdFlags::CLOEXEC);
    assert!(rustix::fs::fcntl_getfl(socket).unwrap().contains(OFlags::NONBLOCK));
}

#[tokio::test]
async fn of_several_sockets_all_are_taken_or_none() {
    let directory = directory();
    let good = leave(UnixListener::bind(directory.path().join("run.sock")).unwrap(), 600);
    let bad = leave(tempfile::tempfile().unwrap(), 601);
    let error = inherit::take(&[good, bad], inherit::listening).map(drop).unwrap_err();
    assert!(matches!(error, InheritError::NotASocket { fd: 601 }), "{error:?}");
    bind_fd(good).await.unwrap();
}

#[tokio::test]
async fn a_client_cannot_connect_to_what_systemd_has_passed() {
    let error = dial(&"systemd:jobs".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, ConnectError::ListensOnly { .. }), "{error:?}");
    assert!(error.to_string().contains("\"systemd:jobs\" is an address for servers"), "{error}");
}

#[tokio::test]
async fn a_process_that_systemd_did_not_start_has_no_sockets() {
    let error = Listener::bind(&"systemd:".parse().unwrap(), Options::default()).await;
    let error = reason(error.unwrap_err());
    assert!(matches!(error, InheritError::NoSockets), "{error:?}");
}
