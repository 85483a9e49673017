//! `mem:NAME`: a listener and its clients in one process.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

async fn bind(name: &str) -> Result<Listener, BindError> {
    Listener::bind(&Address::Memory(name.into()), Options::default()).await
}

async fn dial(name: &str) -> Result<Stream, ConnectError> {
    super::dial(&Address::Memory(name.into())).await
}

#[tokio::test]
async fn bytes_go_both_ways() {
    let mut listener = bind("both ways").await.unwrap();
    assert_eq!(listener.local_addr().to_string(), "mem:both ways");
    let mut client = dial("both ways").await.unwrap();
    let mut server = accept(&mut listener).await;
    client.write_all(b"ping").await.unwrap();
    let mut got = [0; 4];
    server.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"ping");
    server.write_all(b"pong").await.unwrap();
    client.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"pong");
    drop(server);
    assert_eq!(client.read(&mut got).await.unwrap(), 0);
}

#[tokio::test]
async fn both_ends_are_this_process() {
    let mut listener = bind("this process").await.unwrap();
    let client = dial("this process").await.unwrap();
    let server = accept(&mut listener).await;
    for stream in [client, server] {
        let peer = stream.credentials().unwrap();
        assert_eq!(peer.uid, credentials::own_uid());
        assert_eq!(peer.pid.unwrap().get(), std::process::id());
        listener.access().admit(Some(peer)).await.unwrap();
    }
}

#[tokio::test]
async fn a_name_is_taken_while_its_listener_lives() {
    let listener = bind("taken").await.unwrap();
    let error = bind("taken").await.unwrap_err();
    assert!(matches!(error, BindError::NameInUse { .. }), "{error:?}");
    assert!(error.to_string().contains("the name \"taken\" already; stop it or choose"), "{error}");
    drop(listener);
    bind("taken").await.unwrap();
}

#[tokio::test]
async fn a_name_that_nobody_has_is_no_server() {
    let error = dial("nobody").await.unwrap_err();
    assert!(matches!(error, ConnectError::NoServer { absence: Absence::Refused, .. }), "{error:?}");
    assert!(error.to_string().contains("no server at \"mem:nobody\""), "{error}");
}

#[tokio::test]
async fn a_listener_that_is_dropped_ends_the_connections_that_it_did_not_accept() {
    let listener = bind("dropped").await.unwrap();
    let mut client = dial("dropped").await.unwrap();
    drop(listener);
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(client.write(b"x").await.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
}

#[tokio::test(start_paused = true)]
async fn a_full_backlog_is_waited_out_until_the_deadline() {
    let mut listener = bind("full").await.unwrap();
    let mut held = Vec::new();
    let error = loop {
        match dial("full").await {
            Ok(stream) => held.push(stream),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, ConnectError::TimedOut { .. }), "{error:?}");
    assert_eq!(held.len(), 128);
    let client = tokio::spawn(dial("full"));
    tokio::task::yield_now().await;
    assert!(!client.is_finished());
    accept(&mut listener).await;
    client.await.unwrap().unwrap();
}
