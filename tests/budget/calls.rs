//! A small call and a one-way message, client and server on one thread.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use dip::{Client, Connection, Protocol, Router, handler};
use serde::{Deserialize, Serialize};

use super::allocations;

/// 64 bytes, as small calls carry them; each side that reads it allocates its text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Protocol)]
#[mtype("budget.sample")]
#[protocol(reply = Sample)]
pub(super) struct Sample {
    id: u64,
    name: String,
    values: [u32; 8],
}

#[handler]
async fn echo(sample: Sample) -> Sample {
    sample
}

/// Nothing to allocate in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Protocol)]
#[mtype("budget.add")]
#[protocol(reply = i64)]
struct Add {
    a: i64,
    b: i64,
}

#[handler]
async fn add(Add { a, b }: Add) -> i64 {
    a + b
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Protocol)]
#[mtype("budget.one_way")]
struct OneWay {
    a: i64,
}

#[handler]
async fn one_way(_: OneWay) {}

/// In a codec that leaves nothing on the stack.
#[derive(Clone, Debug, PartialEq, Protocol)]
#[mtype("budget.text")]
#[protocol(codec = text)]
struct Text(String);

#[handler]
async fn text(_: Text) {}

pub(super) fn sample() -> Sample {
    Sample { id: 9_000_000_000, name: "sixteen letters.".to_owned(), values: [7; 8] }
}

/// A client and its server over a socket, on the runtime of this thread.
async fn connected() -> Client {
    let (ours, theirs) = tokio::net::UnixStream::pair().unwrap();
    let router = Router::new().handler(echo).handler(add).handler(one_way).handler(text);
    tokio::spawn(Connection::over(theirs, router).run());
    Client::over(ours).connect().await.unwrap()
}

/// How often a number of rounds is counted. When a batch was slow, as it is when the system takes the core
/// away, the handlers of those behind it are watched for a while, for which they need more.
const TRIES: usize = 10;

/// The allocations of so many rounds on both sides, once everything that is used again is there and while
/// nothing is slow.
fn of_rounds<F: Future<Output = ()>>(rounds: u64, round: impl Fn(Client) -> F) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = runtime.block_on(connected());
    let run = |rounds| {
        runtime.block_on(async {
            for _ in 0..rounds {
                round(client.clone()).await;
            }
        });
    };
    run(100);
    (0..TRIES).map(|_| allocations(|| run(rounds)).0).min().unwrap()
}

#[test]
fn a_small_call_allocates_nothing() {
    let count = of_rounds(100, |client| async move {
        assert_eq!(client.call(&Add { a: 1, b: 2 }).await.unwrap(), 3);
    });
    assert_eq!(count, 0, "in 100 calls on both sides");
}

#[test]
fn a_call_with_texts_allocates_these() {
    let sample = sample();
    let count = of_rounds(100, |client| {
        let sample = &sample;
        async move { assert_eq!(client.call(sample).await.unwrap(), *sample) }
    });
    // The text of the message where it is read, that of the reply where it is read.
    assert_eq!(count, 200, "in 100 calls on both sides");
}

#[test]
fn many_calls_at_once_allocate_no_more_than_one_after_the_other() {
    let count = of_rounds(20, |client| async move {
        let mut calls: Vec<_> = (0..50).map(|a| Some(client.call(&Add { a, b: 2 }))).collect();
        poll_fn(|cx| {
            let mut left = false;
            for place in &mut calls {
                let Some(call) = place else { continue };
                match Pin::new(call).poll(cx) {
                    Poll::Ready(reply) => *place = reply.map(|_| None).unwrap(),
                    Poll::Pending => left = true,
                }
            }
            if left { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    });
    // The list of calls is one allocation in each round.
    // Without optimizations a batch as large as that is slow, and handlers get boxes of their own.
    assert!(count <= 20 * 51, "{count} in 1000 calls on both sides");
}

#[test]
fn a_one_way_message_allocates_the_future_of_its_handler_at_most() {
    let count = of_rounds(10, |client| async move {
        for a in 0..500 {
            client.notify(&OneWay { a }).await.unwrap();
        }
        client.flush().await.unwrap();
    });
    // A flush has its ticket, its PING and its place in two lists.
    assert!(count <= 10 * 505, "{count} in 5000 messages and 10 flushes");
}

#[test]
fn a_message_that_is_sent_at_once_or_not_at_all_allocates_nothing_on_the_side_that_sends() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = runtime.block_on(connected());
    let (one_way, text) = (OneWay { a: 1 }, Text("sixteen letters.".repeat(20)));
    let offer = |client: &Client| {
        for _ in 0..50 {
            client.try_notify(&one_way).unwrap();
            client.try_notify(&text).unwrap();
        }
    };
    // Buffers of the thread, and those of the connection, which take turns.
    for _ in 0..10 {
        runtime.block_on(async { offer(&client) });
        runtime.block_on(client.flush()).unwrap();
    }
    let (count, ()) = runtime.block_on(async { allocations(|| offer(&client)) });
    assert_eq!(count, 0, "in 100 messages");
}
