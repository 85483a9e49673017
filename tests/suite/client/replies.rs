//! What the server says, and what becomes of it and of the connection.

use dip::Code;

use super::*;

/// A script that says these pieces, one by one, in reply to the first message, and waits until the
/// client closes; every other connection acknowledges.
fn saying(pieces: &'static [&'static [u8]]) -> Script {
    Script::new(move |number, mut line| async move {
        line.greet().await;
        while line.frame().await.is_some() {
            match number {
                0 => line.say_in_pieces(pieces).await,
                _ => line.say("ok").await,
            }
        }
    })
}

/// What comes of a message when the server says these pieces, and on which connection the next one
/// travels.
async fn heard(pieces: &'static [&'static [u8]]) -> (Sent, usize) {
    let script = saying(pieces);
    let client = connect(&script).await;
    let sent = client.send_raw(b'O', "x").await;
    client.send_raw(b'O', "y").await.unwrap();
    (sent, script.accepted())
}

#[tokio::test]
async fn exactly_ok_is_an_acknowledgement_and_keeps_the_connection() {
    let (sent, connections) = heard(&[b"ok"]).await;
    sent.unwrap();
    assert_eq!(connections, 1);
}

#[tokio::test]
async fn ok_split_in_two_is_one_acknowledgement() {
    let (sent, connections) = heard(&[b"o", b"k"]).await;
    sent.unwrap();
    assert_eq!(connections, 1);
}

#[tokio::test]
async fn ok_with_something_behind_it_may_have_run_and_closes_the_connection() {
    const REPLIES: [&[&[u8]]; 3] = [&[b"okok"], &[b"ok\n"], &[b"o", b"kValueError('x')"]];
    for pieces in REPLIES {
        let (sent, connections) = heard(pieces).await;
        let error = sent.unwrap_err();
        assert!(matches!(error, CallError::ConnectionLost), "{error:?}");
        assert!(error.may_have_run() && !error.is_retryable());
        assert_eq!(connections, 2);
    }
}

#[tokio::test]
async fn an_error_text_is_read_to_its_end_and_closes_the_connection() {
    let (sent, connections) = heard(&[b"ValueError('", b"it took", b" three pieces')"]).await;
    let error = sent.unwrap_err();
    assert!(error.may_have_run() && !error.is_retryable());
    let CallError::Rejected(remote) = error else { panic!("{error:?}") };
    assert_eq!(remote.code, Code::Rejected);
    assert_eq!(remote.class(), "ValueError");
    assert_eq!(remote.text, "ValueError('it took three pieces')");
    assert_eq!(connections, 2);
}

#[tokio::test]
async fn almost_ok_is_an_error_text() {
    assert_eq!(text_of(heard(&[b"OK"]).await.0), "OK");
    assert_eq!(text_of(heard(&[b"o", b"h no"]).await.0), "oh no");
    assert_eq!(text_of(heard(&[b"ValueError('x')ok"]).await.0), "ValueError('x')ok");
}

#[tokio::test]
async fn an_unknown_type_has_its_own_code_and_has_not_run() {
    let (sent, _) =
        heard(&[b"UnsupportedProtoError('No protocol found in registry for message type: 79')"])
            .await;
    let error = sent.unwrap_err();
    assert!(!error.may_have_run());
    let CallError::Rejected(remote) = error else { panic!("{error:?}") };
    assert_eq!(remote.code, Code::UnknownType);
}

#[tokio::test]
async fn a_text_that_is_no_utf8_is_shown_as_far_as_it_is() {
    assert_eq!(text_of(heard(&[b"E('\xe4", b"\xb8\xad\xff')"]).await.0), "E('中\u{fffd}')");
}

#[tokio::test]
async fn a_text_is_cut_at_64_kib() {
    let script = Script::replying(|_| vec![b'x'; 1 << 20]);
    let text = text_of(connect(&script).await.send_raw(b'O', "x").await);
    assert_eq!(text.len(), 64 << 10);
}

#[tokio::test]
async fn a_text_ends_with_its_stream() {
    let script = Script::new(|_, mut line| async move {
        line.greet().await;
        line.frame().await;
        line.say("ValueError('and bye')").await;
    });
    let sent = connect(&script).await.send_raw(b'O', "x").await;
    assert_eq!(text_of(sent), "ValueError('and bye')");
}

#[tokio::test]
async fn what_comes_between_two_messages_answers_neither() {
    for stray in [&b"ok"[..], b"k", b"ValueError('late')", b""] {
        let (said, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let script = Script::new(move |number, mut line| {
            let said = said.clone();
            async move {
                line.greet().await;
                while line.frame().await.is_some() {
                    line.say("ok").await;
                    if number > 0 {
                        continue;
                    }
                    // The client has the acknowledgement by now.
                    tokio::time::sleep(SOON).await;
                    line.say(stray).await;
                    if stray.is_empty() {
                        drop(line);
                        said.send(()).unwrap();
                        return;
                    }
                    said.send(()).unwrap();
                }
            }
        });
        let client = connect(&script).await;
        client.send_raw(b'O', "x").await.unwrap();
        heard.recv().await;
        client.send_raw(b'O', "y").await.unwrap();
        assert_eq!(script.accepted(), 2);
    }
}
