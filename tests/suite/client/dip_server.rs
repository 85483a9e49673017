//! The client and the server of dip, on the classic wire.

use dip::builtin::{Header, Json, Stderr, Stdout, SubtaskError, SubtaskOut, TaskUpdate};
use dip::{Code, Rejection, Router, Server, Value, handler};

use super::*;

#[handler(group = "client suite")]
async fn boom(message: Json) -> Result<(), Rejection> {
    match message.0 {
        Value::Text(text) => Err(Rejection::named("ValueError", text)),
        _ => Ok(()),
    }
}

async fn served() -> (tempfile::TempDir, Server, Client) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let bound = Server::builder(&path).router(Router::group("client suite")).bind().await.unwrap();
    let server = bound.server();
    tokio::spawn(bound.run());
    (directory, server, Client::builder(&path).wire(Wire::Classic).connect().await.unwrap())
}

#[tokio::test]
async fn built_in_messages_are_acknowledged() {
    let (_directory, server, client) = served().await;
    let text = || Some("x".to_owned());
    client.send(&Stdout("x".into())).await.unwrap();
    client.send(&Stderr("x".into())).await.unwrap();
    client.send(&Json(Value::Null)).await.unwrap();
    client.send(&Header { header: text() }).await.unwrap();
    client.send(&SubtaskOut { arg: text(), subtask_out: text() }).await.unwrap();
    client.send(&SubtaskError { arg: None, subtask_err: text() }).await.unwrap();
    client.send(&TaskUpdate(vec![1, 2])).await.unwrap();
    client.close().await.unwrap();
    assert_eq!(server.stats().accepted, 1);
}

#[tokio::test]
async fn refusals_come_with_class_and_code() {
    let (_directory, _server, client) = served().await;
    assert_eq!(text_of(client.send_json("boom").await), "ValueError('boom')");
    let error = client.send_raw(b'Z', "x").await.unwrap_err();
    let CallError::Rejected(remote) = error else { panic!("{error:?}") };
    assert_eq!(remote.code, Code::UnknownType);
    let broken = text_of(client.send_raw(b'J', "{").await);
    assert!(broken.starts_with("JSONDecodeError("), "{broken}");
}

#[tokio::test]
async fn a_message_over_the_servers_limit_is_refused_in_words() {
    let (_directory, _server, client) = served().await;
    let sent = client.send_raw(b'O', vec![b'x'; 65 << 20]).await;
    let text = text_of(sent);
    assert!(text.contains("67108864"), "{text}");
}

#[tokio::test]
async fn many_messages_at_once_are_all_acknowledged() {
    let (_directory, _server, client) = served().await;
    let mut sends = tokio::task::JoinSet::new();
    for number in 0..1000 {
        sends.spawn(client.send_json(&number));
    }
    assert!(sends.join_all().await.into_iter().all(|sent| sent.is_ok()));
}
