//! Long bodies: in pieces, beside others, given up half-way.

use std::time::Duration;

use bytes::Bytes;
use dip::{
    CallError, Client, Code, Connection, Limits, Protocol, Reason, Rejection, Router, Slow, handler,
};
use dip_tests::valve::{Valve, Valved};
use serde::{Deserialize, Serialize};
use tokio::net::UnixListener;
use tokio::sync::Notify;

use super::support::{Add, Echo, in_time, served, served_with};

fn bytes(len: usize) -> Bytes {
    (0..len).map(|at| (at % 251) as u8).collect::<Vec<_>>().into()
}

/// Is answered with so many bytes.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype("native.fill")]
#[protocol(reply = Bytes, reply_codec = raw)]
struct Fill(usize);

#[handler(group = "native")]
async fn fill(Fill(len): Fill) -> Result<Bytes, Rejection> {
    Ok(vec![7; len].into())
}

/// May not be long.
#[derive(Clone, Debug, PartialEq, Protocol)]
#[mtype("native.brief")]
#[protocol(codec = raw, max_len = "20 KiB")]
struct Brief(Bytes);

#[handler(group = "native")]
async fn brief(_: Brief) {}

#[tokio::test]
async fn bodies_of_any_length_come_back_as_they_were() {
    let served = served().await;
    let edges = [0, 1, 16 << 10, (16 << 10) + 1, 256 << 10, (256 << 10) + 1, 3_000_000, 16 << 20];
    for len in edges {
        let body = bytes(len);
        let back = in_time(served.client.call(&Echo(body.clone()))).await.unwrap();
        assert!(back == body, "{len}");
    }
}

#[tokio::test]
async fn long_bodies_both_ways_at_once_all_arrive() {
    let served = served().await;
    let calls = (0..40).map(|n| {
        let client = served.client.clone();
        tokio::spawn(async move {
            let body = bytes(n * 100_000);
            assert!(client.call(&Echo(body.clone())).await.unwrap() == body);
        })
    });
    for call in calls.collect::<Vec<_>>() {
        in_time(call).await.unwrap();
    }
}

#[tokio::test]
async fn small_calls_do_not_wait_for_long_bodies() {
    let served = served().await;
    let long = tokio::spawn(served.client.call(&Echo(bytes(16 << 20))));
    tokio::task::yield_now().await;
    let mut beside = 0;
    while !long.is_finished() {
        assert_eq!(in_time(served.client.call(&Add { a: 1, b: 2 })).await.unwrap(), 3);
        beside += 1;
    }
    assert!(in_time(long).await.unwrap().unwrap().len() == 16 << 20);
    assert!(beside > 3, "{beside} calls went by");
}

/// Is answered when a [`Word`] was said beside it.
#[derive(Protocol)]
#[mtype("native.long_story")]
#[protocol(codec = raw)]
struct LongStory(Bytes);

#[derive(Serialize, Deserialize, Protocol)]
#[mtype("native.word")]
struct Word;

static SAID: Notify = Notify::const_new();

#[handler(group = "native_word")]
async fn long_story(_: LongStory) {
    SAID.notified().await;
}

#[handler(group = "native_word")]
async fn word(_: Word) {
    SAID.notify_one();
}

/// What is put in while the socket is full leaves when there is room, though nothing else happens.
#[tokio::test]
async fn a_call_that_was_put_in_while_the_socket_was_full_leaves_behind_the_body_that_filled_it() {
    let directory = tempfile::tempdir().unwrap();
    for len in [300, 400, 480, 700].map(|kib| kib << 10) {
        let path = directory.path().join(len.to_string());
        let listener = UnixListener::bind(&path).unwrap();
        let valve = Valve::default();
        let reading = valve.clone();
        let server = tokio::spawn(async move {
            let stream = Valved::new(listener.accept().await.unwrap().0, reading);
            let router = Router::new().handler(long_story).handler(word);
            Connection::over(stream, router).run().await
        });
        let client = Client::connect(&path).await.unwrap();
        let yields = async || {
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        };
        valve.shut();
        let story = tokio::spawn(client.send(&LongStory(bytes(len))));
        yields().await;
        let word = tokio::spawn(client.send(&Word));
        yields().await;
        valve.open();
        in_time(word).await.unwrap().unwrap();
        in_time(story).await.unwrap().unwrap();
        server.abort();
    }
}

#[tokio::test]
async fn a_body_that_is_too_long_ends_its_own_call_only() {
    let served = served().await;
    let error = in_time(served.client.send(&Brief(bytes(20 << 10 | 1)))).await.unwrap_err();
    assert!(matches!(error, CallError::NotSent(Reason::TooLarge { .. })), "{error:?}");
    let raw = served.client.send_raw(Brief::MTYPE, bytes(1 << 20));
    let CallError::Rejected(remote) = in_time(raw).await.unwrap_err() else { panic!("refused") };
    assert_eq!(remote.code, Code::TooLarge);
    assert!(!remote.may_have_run());
    let error = in_time(served.client.call(&Echo(bytes((16 << 20) + 1)))).await.unwrap_err();
    let CallError::Rejected(remote) = error else { panic!("{error:?}") };
    assert_eq!(remote.code, Code::TooLarge);
    let error = in_time(served.client.call(&Fill((16 << 20) + 1))).await.unwrap_err();
    let CallError::Rejected(remote) = error else { panic!("{error:?}") };
    assert_eq!(remote.code, Code::ReplyTooLarge);
    assert!(remote.may_have_run());
    assert_eq!(in_time(served.client.call(&Fill(16 << 20))).await.unwrap().len(), 16 << 20);
    assert_eq!(served.server.stats().accepted, 1);
}

#[tokio::test]
async fn without_memory_a_call_is_refused_and_the_connection_goes_on() {
    let limits = Limits::default().memory("1 MiB");
    let served = served_with(|builder| builder.limits(limits)).await;
    let error = in_time(served.client.call(&Echo(bytes(2 << 20)))).await.unwrap_err();
    let CallError::Rejected(ref remote) = error else { panic!("{error:?}") };
    assert_eq!(remote.code, Code::Overloaded);
    assert!(error.is_retryable());
    assert_eq!(in_time(served.client.call(&Echo(bytes(500_000)))).await.unwrap().len(), 500_000);
}

#[tokio::test]
async fn long_calls_that_are_given_up_half_way_leave_the_window_as_it_was() {
    let served = served().await;
    for round in 0_u64..60 {
        let client = served.client.clone();
        let call = tokio::spawn(async move { client.call(&Echo(bytes(4 << 20))).await });
        tokio::time::sleep(Duration::from_micros(round * 150)).await;
        call.abort();
    }
    // More than the window holds at once.
    for _ in 0..4 {
        let body = bytes(16 << 20);
        assert!(in_time(served.client.call(&Echo(body.clone()))).await.unwrap() == body);
    }
}

#[tokio::test]
async fn a_broadcast_that_a_peer_can_never_take_does_not_cut_it_off() {
    let served = served().await;
    let small = Limits::default().max_message("2 KiB").max_builtin_message("2 KiB");
    let other = served.another().limits(small).connect().await.unwrap();
    served.connections(2).await;
    let message = Brief(bytes(4 << 10));
    let done = in_time(served.server.broadcast(&message, Slow::Close)).await.unwrap();
    assert_eq!((done.queued, done.skipped), (1, 1));
    assert_eq!(in_time(other.call(&Add { a: 1, b: 2 })).await.unwrap(), 3);
}

#[tokio::test]
async fn who_only_serves_learns_when_the_other_side_is_gone() {
    let served = served().await;
    let worker = served.another().connect().await.unwrap();
    let gone = tokio::spawn(async move { worker.disconnected().await });
    assert!(!gone.is_finished());
    served.abort();
    in_time(gone).await.unwrap();
}
