//! Handlers that block: plain functions on threads of their own.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use dip::{Limits, Rejection, Router, State, handler};

use super::support::*;

/// How many handlers run now, and how many have run at most at once.
#[derive(Clone, Default)]
struct Busy(Arc<(AtomicUsize, AtomicUsize)>);

impl Busy {
    fn during(&self, work: impl FnOnce()) {
        let now = self.0.0.fetch_add(1, SeqCst) + 1;
        self.0.1.fetch_max(now, SeqCst);
        work();
        self.0.0.fetch_sub(1, SeqCst);
    }
}

/// Sleeps as many ms as its text says; other texts are refused.
#[handler(blocking)]
fn sleep(Note(text): Note, State(busy): State<Busy>) -> Result<(), Rejection> {
    let ms = text.parse()?;
    busy.during(|| std::thread::sleep(Duration::from_millis(ms)));
    Ok(())
}

#[handler(blocking)]
fn panic(_: Brief) {
    std::panic::resume_unwind(Box::new("secret"));
}

async fn fixture(limits: Limits) -> (Running, Busy) {
    let busy = Busy::default();
    let router = Router::new().handler(sleep).handler(panic);
    let running =
        serve_with(|builder| builder.router(router).state(busy.clone()).limits(limits)).await;
    (running, busy)
}

#[tokio::test]
async fn no_more_of_them_run_at_once_than_the_limit_says() {
    let (running, busy) = fixture(Limits::default().blocking_handlers(2)).await;
    let mut clients = Vec::new();
    for _ in 0..6 {
        let mut client = running.connect().await;
        client.send(NOTE, "100").await;
        clients.push(client);
    }
    for client in &mut clients {
        assert_eq!(client.reply().await, "ok");
    }
    assert_eq!(busy.0.1.load(SeqCst), 2);
}

#[tokio::test]
async fn others_are_served_while_one_blocks() {
    let (running, _) = fixture(Limits::default()).await;
    let mut slow = running.connect().await;
    slow.send(NOTE, "700").await;
    let mut quick = running.connect().await;
    for _ in 0..10 {
        assert_eq!(quick.ask(NOTE, "0").await, "ok");
    }
    slow.expect_silence(50).await;
    assert_eq!(slow.reply().await, "ok");
}

#[tokio::test]
async fn errors_and_panics_are_told_as_those_of_others() {
    let (running, _) = fixture(Limits::default()).await;
    let mut client = running.connect().await;
    assert_eq!(client.ask(NOTE, "x").await, "ParseIntError('invalid digit found in string')");
    assert_eq!(client.ask(BRIEF, "").await, "RuntimeError('the handler panicked')");
    assert_eq!(client.ask(NOTE, "0").await, "ok");
}

#[tokio::test]
async fn one_that_was_given_up_keeps_its_thread_until_it_ends() {
    let limits = Limits::default().blocking_handlers(1).handler_cap(ms(100));
    let (running, busy) = fixture(limits).await;
    let mut client = running.connect().await;
    let reply = client.ask(NOTE, "1000").await;
    assert_eq!(reply, "TimeoutError('the handler was stopped after 100ms')");
    let mut other = running.connect().await;
    let reply = other.ask(NOTE, "0").await;
    assert!(reply.starts_with("TimeoutError("), "the only thread is still taken: {reply}");
    until(|| busy.0.0.load(SeqCst) == 0).await;
    assert_eq!(client.ask(NOTE, "0").await, "ok");
}
