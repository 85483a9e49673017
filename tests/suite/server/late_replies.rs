//! A client that has given up waiting and sends its next message must not get the old answer for it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use dip::{Rejection, Router, State, handler};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::OwnedReadHalf;

use super::support::*;

/// Longer than a reply may take when its sender sends on, with room for a busy machine.
const GIVES_UP: u64 = 600;

/// Waits at the gate; a body that ends in `!` is refused.
#[handler]
async fn gated(Note(text): Note, State(gate): State<Gate>) -> Result<(), Rejection> {
    gate.pass().await;
    if text.ends_with('!') {
        Err(Rejection::named("ValueError", &text[text.len() - 2..]))
    } else {
        Ok(())
    }
}

/// What async handlers must not do, and do: it keeps the thread that reads the connection.
#[handler]
async fn blocks(Brief(text): Brief) -> Result<(), Rejection> {
    if text.ends_with('!') {
        return Err(Rejection::named("ValueError", text));
    }
    std::thread::sleep(Duration::from_millis(3 * GIVES_UP));
    Ok(())
}

/// The first attempt takes longer than a client waits before it sends a message again.
#[handler(ordered = "client")]
async fn slow_at_first(Note(text): Note) {
    if text == "attempt 1" {
        tokio::time::sleep(ms(GIVES_UP)).await;
    }
}

#[handler(ordered = "client", blocking)]
fn slow_at_first_elsewhere(Brief(text): Brief) {
    if text == "attempt 1" {
        std::thread::sleep(ms(GIVES_UP));
    }
}

/// A client that never waits for the socket, as those of asyncio, and gives up `times` times.
async fn give_up(times: usize, len: usize) {
    let gate = Gate::closed();
    let router = Router::new().handler(gated);
    let running = serve_with(|builder| builder.router(router).state(gate.clone())).await;
    let (mut reader, mut writer) = running.connect().await.0.into_split();
    let (queue, mut queued) = tokio::sync::mpsc::unbounded_channel::<Vec<u8>>();
    let writing = tokio::spawn(async move {
        while let Some(frame) = queued.recv().await {
            writer.write_all(&frame).await.unwrap();
        }
    });
    let padding = "x".repeat(len);
    for number in 0..times {
        queue.send(frame(NOTE, format!("{padding}{number}"))).unwrap();
        tokio::time::sleep(ms(GIVES_UP)).await;
    }
    queue.send(frame(NOTE, format!("{padding}last!"))).unwrap();
    tokio::time::sleep(ms(100)).await;
    gate.open(times + 1);
    let last = "ValueError('t!')";
    assert_eq!(next(&mut reader).await, last, "of the last one, and of no other");
    assert_eq!(running.server.stats().late_replies, times as u64);
    gate.open(2);
    queue.send(frame(NOTE, "more")).unwrap();
    assert_eq!(next(&mut reader).await, "ok", "it is in step again");
    queue.send(frame(NOTE, "no!")).unwrap();
    assert_eq!(next(&mut reader).await, "ValueError('o!')");
    drop(queue);
    in_time(writing).await.unwrap();
}

async fn next(reader: &mut OwnedReadHalf) -> String {
    let mut reply = [0; 100];
    let len = in_time(reader.read(&mut reply)).await.unwrap();
    String::from_utf8(reply[..len].to_vec()).unwrap()
}

#[tokio::test]
async fn a_client_that_gave_up_three_times_reads_the_answer_to_its_last_message() {
    give_up(3, 0).await;
}

#[tokio::test]
async fn the_same_with_bodies_of_a_megabyte() {
    give_up(4, 1 << 20).await;
}

/// More than the server reads ahead: it cannot know when the rest was sent.
#[tokio::test]
async fn the_same_with_more_than_is_read_ahead() {
    give_up(6, 3 << 20).await;
}

#[tokio::test]
async fn a_late_reply_is_written_when_nothing_else_was_sent() {
    let gate = Gate::closed();
    let router = Router::new().handler(gated);
    let running = serve_with(|builder| builder.router(router).state(gate.clone())).await;
    let mut client = running.connect().await;
    client.send(NOTE, "slow").await;
    client.expect_silence(GIVES_UP).await;
    gate.open(1);
    assert_eq!(client.reply().await, "ok");
    assert_eq!(running.server.stats().late_replies, 0);
}

#[tokio::test]
async fn frames_sent_in_one_go_keep_their_replies_however_slow_the_handlers_are() {
    let gate = Gate::closed();
    let router = Router::new().handler(gated);
    let running = serve_with(|builder| builder.router(router).state(gate.clone())).await;
    let mut client = running.connect().await;
    let texts = ["1", "2!", &"x".repeat(30_000), "4", "5!"];
    client.write(&texts.iter().flat_map(|text| frame(NOTE, text)).collect::<Vec<_>>()).await;
    for reply in ["ok", "ValueError('2!')", "ok", "ok", "ValueError('5!')"] {
        client.expect_silence(300).await;
        gate.open(1);
        client.expect(reply).await;
    }
    assert_eq!(running.server.stats().late_replies, 0);
}

/// What a client takes for the answer to the last of these messages, and how many answers were late. It
/// gives up the others while the first one keeps the server's only thread, which can't have seen them come.
async fn last_answer_behind_a_busy_thread(texts: &'static [&'static str]) -> (String, u64) {
    let running = serve(Router::new().handler(blocks)).await;
    let path = running.path().to_owned();
    let client = tokio::task::spawn_blocking(move || {
        let mut client = UnixStream::connect(path).unwrap();
        client.set_read_timeout(Some(Duration::from_millis(GIVES_UP))).unwrap();
        let (last, given_up) = texts.split_last().unwrap();
        let mut reply = [0; 100];
        for text in given_up {
            client.write_all(&frame(BRIEF, text)).unwrap();
            client.read(&mut reply).expect_err("the first handler takes longer");
        }
        client.write_all(&frame(BRIEF, last)).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let len = client.read(&mut reply).unwrap();
        String::from_utf8(reply[..len].to_vec()).unwrap()
    });
    (in_time(client).await.unwrap(), running.server.stats().late_replies)
}

#[tokio::test]
async fn a_handler_that_blocks_the_thread_does_not_hide_that_its_client_gave_up() {
    let answer = last_answer_behind_a_busy_thread(&["slow", "no!"]).await;
    assert_eq!(answer, ("ValueError('no!')".to_owned(), 1));
}

/// What is read then all comes at once.
#[tokio::test]
async fn nor_that_it_gave_up_the_next_message_too() {
    let answer = last_answer_behind_a_busy_thread(&["slow", "2!", "3!"]).await;
    assert_eq!(answer, ("ValueError('3!')".to_owned(), 2));
}

/// A worker that has given up sends the message again over another connection of its pool, and what it
/// sends next over the first one: the answer that comes late must be there before that.
#[tokio::test]
async fn the_answer_to_a_message_comes_before_that_to_its_second_attempt() {
    let router = Router::new().handler(slow_at_first).handler(slow_at_first_elsewhere);
    let running = serve(router).await;
    for mtype in [NOTE, BRIEF] {
        for _ in 0..5 {
            let path = running.path().to_owned();
            let client = tokio::task::spawn_blocking(move || {
                let connect = || UnixStream::connect(&path).unwrap();
                let (mut first, mut second) = (connect(), connect());
                first.write_all(&frame(mtype, "attempt 1")).unwrap();
                std::thread::sleep(ms(100));
                second.write_all(&frame(mtype, "attempt 2")).unwrap();
                second.set_read_timeout(Some(PATIENCE)).unwrap();
                first.set_nonblocking(true).unwrap();
                let (mut reply, mut late) = ([0; 100], [0; 100]);
                let len = second.read(&mut reply).unwrap();
                let of_first = first.read(&mut late).expect("the first answer is there");
                (reply[..len].to_vec(), late[..of_first].to_vec())
            });
            assert_eq!(in_time(client).await.unwrap(), (b"ok".to_vec(), b"ok".to_vec()));
        }
    }
}
