//! How many connections there are, who gets them, and how they end.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Instant;

use dip::Reason;
use dip::builtin::SetConnectionId;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::*;

async fn send_at_once(client: &Client, count: usize) -> Vec<Sent> {
    let mut sends = JoinSet::new();
    for _ in 0..count {
        sends.spawn(client.send_raw(b'O', "x"));
    }
    sends.join_all().await
}

/// Acknowledges each frame after `time`.
fn slow(time: Duration) -> Script {
    Script::new(move |_, mut line| async move {
        line.greet().await;
        while line.frame().await.is_some() {
            tokio::time::sleep(time).await;
            line.say("ok").await;
        }
    })
}

#[tokio::test]
async fn messages_one_after_the_other_take_one_connection() {
    let script = slow(Duration::ZERO);
    let client = connect(&script).await;
    for _ in 0..100 {
        client.send_raw(b'O', "x").await.unwrap();
    }
    assert_eq!(script.accepted(), 1);
}

#[tokio::test]
async fn messages_at_once_take_as_many_as_the_pool_has() {
    let script = slow(SOON);
    let client = connect(&script).await;
    let begun = Instant::now();
    assert!(send_at_once(&client, 16).await.iter().all(Result::is_ok));
    assert!(begun.elapsed() < SOON * 10);
    assert_eq!(script.accepted(), 16);
}

#[tokio::test]
async fn a_cold_pool_keeps_to_its_size() {
    let script = slow(Duration::from_millis(10));
    let client = builder(&script).pool_size(4).connect().await.unwrap();
    assert!(send_at_once(&client, 40).await.iter().all(Result::is_ok));
    assert_eq!(script.accepted(), 4);
}

#[tokio::test]
async fn a_pool_of_none_is_one_of_one() {
    let script = slow(Duration::ZERO);
    let client = builder(&script).pool_size(0).connect().await.unwrap();
    assert!(send_at_once(&client, 4).await.iter().all(Result::is_ok));
    assert_eq!(script.accepted(), 1);
}

#[tokio::test]
async fn connections_are_made_side_by_side() {
    let script = Script::new(|_, mut line| async move {
        line.id().await;
        tokio::time::sleep(SOON).await;
        line.say("ok").await;
        while line.frame().await.is_some() {
            line.say("ok").await;
        }
    });
    let client = connect(&script).await;
    let begun = Instant::now();
    assert!(send_at_once(&client, 16).await.iter().all(Result::is_ok));
    assert!(begun.elapsed() < SOON * 10, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn who_waits_for_a_connection_gets_the_place_of_one_that_died() {
    let script = Script::new(|number, mut line| async move {
        line.greet().await;
        line.frame().await;
        tokio::time::sleep(SOON).await;
        if number > 0 {
            line.say("ok").await;
        }
    });
    let client = builder(&script).pool_size(1).connect().await.unwrap();
    let first = tokio::spawn(client.send_raw(b'O', "x"));
    tokio::time::sleep(SOON / 2).await;
    let begun = Instant::now();
    client.send_raw(b'O', "y").await.unwrap();
    assert!(begun.elapsed() < SOON * 10);
    assert!(matches!(first.await.unwrap(), Err(CallError::ConnectionLost)));
}

#[tokio::test]
async fn who_waits_too_long_for_a_connection_has_sent_nothing() {
    let script = slow(SOON * 4);
    let client = builder(&script).pool_size(1).connect().await.unwrap();
    let busy = tokio::spawn(client.send_raw(b'O', "x"));
    tokio::time::sleep(SOON / 2).await;
    let sent = client.send_raw(b'O', "y").timeout(SOON).await;
    assert!(matches!(sent, Err(CallError::Deadline { sent: false })), "{sent:?}");
    busy.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_pool_survives_servers_that_fail_in_every_way() {
    let count = Arc::new(AtomicUsize::new(0));
    let script = Script::new(move |number, mut line| {
        let count = count.clone();
        async move {
            match number % 5 {
                1 => return,
                2 => return drop(line.frame().await),
                3 => {
                    line.frame().await;
                    return line.say("ValueError('no')").await;
                }
                _ => _ = line.greeted().await,
            }
            while line.frame().await.is_some() {
                match count.fetch_add(1, SeqCst) % 4 {
                    0 => return,
                    1 => line.say("ValueError('x')").await,
                    2 => tokio::time::sleep(SOON / 4).await,
                    _ => line.say("ok").await,
                }
            }
        }
    });
    let client = builder(&script).pool_size(2).timeout(SOON / 5).connect().await.unwrap();
    for _ in 0..20 {
        send_at_once(&client, 10).await;
    }
    // Each place is free again, or this would wait for ever.
    let sent = client.send_raw(b'O', "x").timeout(SOON * 20).await;
    assert!(!matches!(sent, Err(CallError::Deadline { sent: false })), "{sent:?}");
    client.close().await.unwrap();
}

#[tokio::test]
async fn clients_with_one_id_talk_each_to_its_own_server() {
    let id = Some(Uuid::from_u128(7));
    let (a, b) = (Script::replying(|_| b"E(a)".into()), Script::replying(|_| b"E(b)".into()));
    let first = builder(&a).id(id).connect().await.unwrap();
    let second = builder(&b).id(id).connect().await.unwrap();
    assert_eq!(text_of(first.send_raw(b'O', "x").await), "E(a)");
    assert_eq!(text_of(second.send_raw(b'O', "x").await), "E(b)");
}

#[tokio::test]
async fn a_new_id_is_that_of_the_whole_client() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let script = Script::new(move |_, mut line| {
        let tell = tell.clone();
        async move {
            let mut id = line.greet().await;
            while let Some((mtype, body)) = line.frame().await {
                match mtype {
                    0x1d => id = Uuid::from_slice(&body).unwrap(),
                    _ => {
                        tokio::time::sleep(SOON / 2).await;
                        tell.send(id).unwrap();
                    }
                }
                line.say("ok").await;
            }
        }
    });
    let client = connect(&script).await;
    assert!(send_at_once(&client, 3).await.iter().all(Result::is_ok));
    let id = Uuid::from_u128(42);
    client.send(&SetConnectionId(id)).await.unwrap();
    assert!(send_at_once(&client, 5).await.iter().all(Result::is_ok));
    for number in 0..8 {
        assert_eq!(told.recv().await.unwrap() == id, number >= 3);
    }
}

#[tokio::test]
async fn close_waits_for_what_is_under_way_and_refuses_the_rest() {
    let script = slow(SOON);
    let client = builder(&script).pool_size(2).connect().await.unwrap();
    let mut under_way = JoinSet::new();
    for _ in 0..6 {
        under_way.spawn(client.send_raw(b'O', "x"));
    }
    tokio::time::sleep(SOON / 2).await;
    let other = client.clone();
    let (first, second, ()) = tokio::join!(client.close(), other.close(), async {
        tokio::task::yield_now().await;
        let sent = client.send_raw(b'O', "y").await;
        assert!(matches!(sent, Err(CallError::NotSent(Reason::Closed))), "{sent:?}");
    });
    first.and(second).unwrap();
    while let Some(sent) = under_way.try_join_next() {
        sent.unwrap().unwrap();
    }
    assert!(under_way.is_empty());
    let sent = other.send_raw(b'O', "y").await;
    assert!(matches!(sent, Err(CallError::NotSent(Reason::Closed))), "{sent:?}");
}

#[tokio::test]
async fn close_waits_for_an_abandoned_send_no_longer_than_its_time() {
    let script = slow(Duration::ZERO);
    let client = builder(&script).pool_size(1).connect().await.unwrap();
    client.send_raw(b'O', "x").timeout(Duration::MAX).await.unwrap();
    let mut holds = client.send_raw(b'O', "x").timeout(SOON);
    let mut waits = client.send_raw(b'O', "y").timeout(SOON);
    for sending in [&mut holds, &mut waits] {
        let polled = tokio::time::timeout(Duration::ZERO, sending).await;
        assert!(polled.is_err(), "{polled:?}");
    }
    tokio::time::timeout(SOON * 10, client.close()).await.expect("it does not hang").unwrap();
    // Its reply has been there for long.
    holds.await.unwrap();
    let sent = waits.await;
    assert!(matches!(sent, Err(CallError::NotSent(Reason::Closed))), "{sent:?}");
}

#[tokio::test]
async fn a_client_that_is_dropped_or_closed_closes_its_connections() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let script = Script::new(move |_, mut line| {
        let tell = tell.clone();
        async move {
            line.greet().await;
            tell.send(line.closed().await).unwrap();
        }
    });
    drop(connect(&script).await);
    assert_eq!(told.recv().await, Some(0));
    let client = connect(&script).await;
    client.close().await.unwrap();
    assert_eq!(told.recv().await, Some(0));
    drop(client);
}
