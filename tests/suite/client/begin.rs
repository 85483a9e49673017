//! The first frames, and servers that are not there or do not want us.

use std::time::Instant;

use dip::{Access, Address, ConnectError, Error, Reason};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::*;

/// A script that tells the first `count` bytes of each connection, and acknowledges the id.
fn telling(count: usize) -> (Script, mpsc::UnboundedReceiver<Vec<u8>>) {
    let (tell, told) = mpsc::unbounded_channel();
    let script = Script::new(move |_, mut line| {
        let tell = tell.clone();
        async move {
            let mut bytes = vec![0; count];
            tokio::io::AsyncReadExt::read_exact(&mut line.0, &mut bytes).await.unwrap();
            let _ = tell.send(bytes);
            line.say("ok").await;
            line.closed().await;
        }
    });
    (script, told)
}

#[tokio::test]
async fn the_first_frame_claims_the_id() {
    let (script, mut told) = telling(21);
    let id = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
    builder(&script).id(Some(id)).connect().await.unwrap();
    let mut expected = vec![0x1d, 0, 0, 0, 16];
    expected.extend_from_slice(id.as_bytes());
    assert_eq!(told.recv().await.unwrap(), expected);
}

#[tokio::test]
async fn the_id_is_random_unless_said_otherwise() {
    let (script, mut told) = telling(21);
    connect(&script).await;
    connect(&script).await;
    assert_ne!(told.recv().await.unwrap(), told.recv().await.unwrap());
}

#[tokio::test]
async fn without_an_id_the_first_frame_is_the_message() {
    let (script, mut told) = telling(7);
    let client = builder(&script).id(None).connect().await.unwrap();
    client.send_raw(b'O', "hi").await.unwrap();
    assert_eq!(told.recv().await.unwrap(), b"O\0\0\0\x02hi");
}

#[tokio::test]
async fn a_missing_server_is_an_error_of_connect() {
    let directory = tempfile::tempdir().unwrap();
    let error = Client::connect(directory.path().join("s")).await.unwrap_err();
    assert!(matches!(error, Error::Connect(ConnectError::NoServer { .. })), "{error}");
}

#[tokio::test]
async fn a_bad_address_is_an_error_of_connect() {
    assert!(matches!(Client::connect("tcp:").await.unwrap_err(), Error::Address(_)));
}

#[tokio::test]
async fn a_server_that_refuses_the_id_is_an_error_with_its_text() {
    let script = Script::new(|_, mut line| async move {
        line.id().await;
        line.say_in_pieces(&[b"ValueError('bytes is not ", b"a 16-char string')"]).await;
        assert_eq!(line.closed().await, 0);
    });
    match builder(&script).connect().await.unwrap_err() {
        Error::NotSent(Reason::Refused(remote)) => {
            assert_eq!(remote.text, "ValueError('bytes is not a 16-char string')");
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_server_that_turns_clients_away_is_heard() {
    let script = Script::new(|_, mut line| async move {
        line.say("PermissionError('not you')").await;
    });
    let error = builder(&script).connect().await.unwrap_err();
    let Error::NotSent(Reason::Refused(remote)) = error else { panic!("{error}") };
    assert_eq!(remote.class(), "PermissionError");
}

#[tokio::test]
async fn more_than_ok_to_the_id_is_no_connection() {
    let script = Script::new(|_, mut line| async move {
        line.id().await;
        line.say("okok").await;
        line.closed().await;
    });
    let error = builder(&script).connect().await.unwrap_err();
    assert!(matches!(error, Error::Connect(ConnectError::Io { .. })), "{error}");
}

#[tokio::test]
async fn a_server_that_is_silent_at_the_id_ends_connect_in_time() {
    let script = Script::new(|_, line| async move { _ = line.closed().await });
    let begun = Instant::now();
    let error = builder(&script).timeout(SOON).connect().await.unwrap_err();
    assert!(matches!(error, Error::Connect(ConnectError::TimedOut { .. })), "{error}");
    assert!(begun.elapsed() < SOON * 10);
}

#[tokio::test]
async fn a_server_that_closes_at_the_id_is_noticed_at_once() {
    let script = Script::new(|_, mut line| async move { _ = line.id().await });
    let begun = Instant::now();
    let error = builder(&script).connect().await.unwrap_err();
    assert!(matches!(error, Error::Connect(ConnectError::Io { .. })), "{error}");
    assert!(begun.elapsed() < SOON * 10);
}

#[tokio::test]
async fn a_failed_beginning_leaves_no_connection_open() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let script = Script::new(move |_, line| {
        let tell = tell.clone();
        async move { tell.send(line.closed().await).unwrap() }
    });
    for _ in 0..40 {
        let client = builder(&script).timeout(Duration::from_millis(5));
        assert!(client.connect().await.is_err());
        // The frame with the id, unless it came too late for that.
        assert!(matches!(told.recv().await, Some(0 | 21)));
    }
}

#[tokio::test]
async fn a_server_of_the_same_user_is_admitted_by_any_access() {
    let script = Script::replying(|_| b"ok".into());
    builder(&script).access(Access::uids([])).connect().await.unwrap();
}

#[tokio::test]
async fn tcp_is_spoken_too() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = [0; 21];
        stream.read_exact(&mut bytes).await.unwrap();
        stream.write_all(b"ok").await.unwrap();
        stream.read_exact(&mut bytes[..7]).await.unwrap();
        stream.write_all(b"ok").await.unwrap();
        bytes[..7].to_vec()
    });
    let address = Address::Tcp { host: "localhost".into(), port };
    let client = Client::builder(address).wire(Wire::Classic).connect().await.unwrap();
    client.send_raw(b'E', "hi").await.unwrap();
    assert_eq!(server.await.unwrap(), b"E\0\0\0\x02hi");
}
