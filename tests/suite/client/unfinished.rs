//! Messages without a reply: given up, cut off, too late.

use std::time::Instant;

use dip::Reason;
use tokio::sync::mpsc;

use super::*;

/// A script that never answers its first connection's message but with `late`, after 150 ms, and
/// tells when the client has closed; the others say `E(body)`.
fn late(reply: &'static str) -> (Script, mpsc::UnboundedReceiver<usize>) {
    let (tell, told) = mpsc::unbounded_channel();
    let script = Script::new(move |number, mut line| {
        let tell = tell.clone();
        async move {
            line.greet().await;
            if number > 0 {
                let (_, body) = line.frame().await.unwrap();
                line.say(format!("E({})", body[0])).await;
                return;
            }
            line.frame().await;
            tokio::time::sleep(Duration::from_millis(150)).await;
            line.say(reply).await;
            tell.send(line.closed().await).unwrap();
        }
    });
    (script, told)
}

#[tokio::test]
async fn the_reply_to_a_message_that_timed_out_answers_no_other() {
    for reply in ["ok", "ValueError('about the first')"] {
        let (script, mut closed) = late(reply);
        let client = connect(&script).await;
        let begun = Instant::now();
        let sent = client.send_raw(b'O', "\x01").timeout(SOON).await;
        assert!(matches!(sent, Err(CallError::Deadline { sent: true })), "{sent:?}");
        assert!((SOON..SOON * 10).contains(&begun.elapsed()));
        assert_eq!(text_of(client.send_raw(b'O', "\x02").await), "E(2)");
        assert_eq!(closed.recv().await, Some(0));
    }
}

#[tokio::test]
async fn the_reply_to_a_message_that_was_dropped_answers_no_other() {
    for reply in ["ok", "ValueError('about the first')"] {
        let (script, mut closed) = late(reply);
        let client = connect(&script).await;
        let dropped = tokio::time::timeout(SOON, client.send_raw(b'O', "\x01")).await;
        assert!(dropped.is_err());
        assert_eq!(text_of(client.send_raw(b'O', "\x02").await), "E(2)");
        assert_eq!(closed.recv().await, Some(0));
    }
}

#[tokio::test]
async fn the_end_of_the_stream_is_noticed_at_once() {
    let script = Script::new(|_, mut line| async move {
        line.greet().await;
        line.frame().await;
    });
    let client = connect(&script).await;
    let begun = Instant::now();
    let error = client.send_raw(b'O', "x").await.unwrap_err();
    assert!(matches!(error, CallError::ConnectionLost), "{error:?}");
    assert!(error.may_have_run() && !error.is_retryable());
    assert!(begun.elapsed() < SOON * 10);
}

#[tokio::test]
async fn a_reset_is_noticed_at_once() {
    let script = Script::new(|_, mut line| async move {
        line.greet().await;
        // Closing with bytes unread is a reset.
        tokio::io::AsyncReadExt::read_u8(&mut line.0).await.unwrap();
    });
    let client = connect(&script).await;
    let begun = Instant::now();
    let sent = client.send_raw(b'O', "x").await;
    assert!(matches!(sent, Err(CallError::ConnectionLost)), "{sent:?}");
    assert!(begun.elapsed() < SOON * 10);
}

#[tokio::test]
async fn a_message_that_was_not_written_whole_was_certainly_not_handled() {
    let script = Script::new(|_, mut line| async move {
        if line.frame().await.is_some_and(|(mtype, _)| mtype == 0x1d) {
            line.say("ok").await;
        }
        tokio::io::AsyncReadExt::read_u8(&mut line.0).await.unwrap();
    });
    let client = connect(&script).await;
    let error = client.send_raw(b'O', vec![b'x'; 8 << 20]).await.unwrap_err();
    assert!(matches!(error, CallError::NotSent(Reason::Disconnected)), "{error:?}");
    assert!(!error.may_have_run() && error.is_retryable());
}

#[tokio::test]
async fn a_server_may_say_why_before_it_has_read_the_whole_message() {
    let script = Script::new(|_, mut line| async move {
        line.greet().await;
        tokio::io::AsyncReadExt::read_u8(&mut line.0).await.unwrap();
        line.say("ProtoDecodeError('too long for me')").await;
    });
    let sent = connect(&script).await.send_raw(b'O', vec![b'x'; 8 << 20]).await;
    assert_eq!(text_of(sent), "ProtoDecodeError('too long for me')");
}

#[tokio::test]
async fn what_a_server_says_before_it_leaves_is_heard_on_a_used_connection_too() {
    let script = Script::new(|_, mut line| async move {
        line.greet().await;
        line.frame().await;
        line.say("ok").await;
        tokio::io::AsyncReadExt::read_u8(&mut line.0).await.unwrap();
        line.say("ProtoDecodeError('too long for me')").await;
    });
    let client = connect(&script).await;
    client.send_raw(b'O', "x").await.unwrap();
    let sent = client.send_raw(b'O', vec![b'x'; 8 << 20]).await;
    assert_eq!(text_of(sent), "ProtoDecodeError('too long for me')");
    assert_eq!(script.accepted(), 1);
}

#[tokio::test]
async fn a_message_that_servers_hang_up_on_takes_one_used_connection_and_one_new_one() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let script = Script::new(move |number, mut line| {
        let tell = tell.clone();
        async move {
            line.greet().await;
            if number < 3 {
                line.frame().await;
                tokio::time::sleep(SOON).await;
                line.say("ok").await;
            }
            if tokio::io::AsyncReadExt::read_u8(&mut line.0).await.is_ok() {
                tell.send(number).unwrap();
            }
        }
    });
    let client = connect(&script).await;
    let short = || client.send_raw(b'O', "x");
    let (a, b, c) = tokio::join!(short(), short(), short());
    a.and(b).and(c).unwrap();
    let error = client.send_raw(b'O', vec![b'x'; 8 << 20]).await.unwrap_err();
    assert!(matches!(error, CallError::NotSent(Reason::Disconnected)), "{error:?}");
    assert_eq!(script.accepted(), 4);
    assert!(told.recv().await.unwrap() < 3);
    assert_eq!(told.recv().await, Some(3));
    assert!(told.try_recv().is_err());
}

#[tokio::test]
async fn a_server_that_does_not_read_ends_the_message_unsent() {
    let script = Script::new(|_, mut line| async move {
        line.greet().await;
        std::future::pending::<()>().await;
    });
    let client = connect(&script).await;
    let error = client.send_raw(b'O', vec![b'x'; 8 << 20]).timeout(SOON).await.unwrap_err();
    assert!(matches!(error, CallError::Deadline { sent: false }), "{error:?}");
    assert!(!error.may_have_run() && error.is_retryable());
}

#[tokio::test]
async fn a_long_message_arrives_as_it_is() {
    let script = Script::replying(|body| match body.iter().all(|byte| *byte == b'x') {
        true => b"ok".into(),
        false => b"no".into(),
    });
    connect(&script).await.send_raw(b'O', vec![b'x'; 32 << 20]).await.unwrap();
}

#[tokio::test]
async fn after_a_restart_of_the_server_the_next_message_connects_again() {
    let mut script = Script::replying(|_| b"ok".into());
    let client = connect(&script).await;
    client.send_raw(b'O', "x").await.unwrap();
    for restart in 2..5 {
        script
            .restart(|_, mut line| async move {
                line.greet().await;
                while line.frame().await.is_some() {
                    line.say("ok").await;
                }
            })
            .await;
        client.send_raw(b'O', "x").await.unwrap();
        assert_eq!(script.accepted(), restart);
    }
}

#[tokio::test]
async fn a_server_that_stays_away_is_not_sent_to() {
    let script = Script::replying(|_| b"ok".into());
    let client = connect(&script).await;
    drop(script);
    tokio::time::sleep(SOON / 5).await;
    let error = client.send_raw(b'O', "x").await.unwrap_err();
    assert!(matches!(error, CallError::NotSent(Reason::Connect(_))), "{error:?}");
    assert!(!error.may_have_run() && error.is_retryable());
}
