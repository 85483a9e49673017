//! A client that has given up waiting and sends its next message must not get the old answer for it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use dip::{Rejection, Router, State, handler};

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

async fn give_up_again_and_again(len: usize) {
    let gate = Gate::closed();
    let router = Router::new().handler(gated);
    let running = serve_with(|builder| builder.router(router).state(gate.clone())).await;
    let mut client = running.connect().await;
    let padding = "x".repeat(len);
    for number in 1..=3 {
        client.send(NOTE, format!("{padding}{number}")).await;
        client.expect_silence(GIVES_UP).await;
    }
    client.send(NOTE, format!("{padding}4!")).await;
    client.expect_silence(50).await;
    gate.open(4);
    assert_eq!(client.reply().await, "ValueError('4!')", "of the last one, and of no other");
    assert_eq!(running.server.stats().late_replies, 3);
    gate.open(2);
    assert_eq!(client.ask(NOTE, "5").await, "ok", "it is in step again");
    assert_eq!(client.ask(NOTE, "6!").await, "ValueError('6!')");
}

#[tokio::test]
async fn a_client_that_gave_up_three_times_reads_the_answer_to_its_last_message() {
    give_up_again_and_again(0).await;
}

#[tokio::test]
async fn the_same_with_bodies_of_a_megabyte() {
    give_up_again_and_again(1 << 20).await;
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

/// The server's only thread is busy: it can't have seen the second message come.
#[tokio::test]
async fn a_handler_that_blocks_the_thread_does_not_hide_that_its_client_gave_up() {
    let running = serve(Router::new().handler(blocks)).await;
    let path = running.path().to_owned();
    let client = tokio::task::spawn_blocking(move || {
        let mut client = UnixStream::connect(path).unwrap();
        client.set_read_timeout(Some(Duration::from_millis(GIVES_UP))).unwrap();
        client.write_all(&frame(BRIEF, "slow")).unwrap();
        let mut reply = [0; 100];
        client.read(&mut reply).expect_err("the handler takes longer");
        client.write_all(&frame(BRIEF, "no!")).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let len = client.read(&mut reply).unwrap();
        String::from_utf8(reply[..len].to_vec()).unwrap()
    });
    assert_eq!(in_time(client).await.unwrap(), "ValueError('no!')");
    assert_eq!(running.server.stats().late_replies, 1);
}
