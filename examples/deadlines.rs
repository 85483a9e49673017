//! How long a call may take, who knows it, and what happens to its handler when nobody waits any more.
//!
//! ```text
//! cargo run --example deadlines
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use dip::{Client, Context, Peer, Protocol, Router, Server, State, handler};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

// The messages.

/// Asks how much time is left for the answer, in milliseconds.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype("time.left")]
#[protocol(reply = u64, deadline = "2s")]
struct TimeLeft;

/// The same, asked by the handler of whoever sent the message: in the other direction.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype("time.left_in_return")]
#[protocol(reply = u64)]
struct TimeLeftInReturn;

/// The same, asked by the handler of another server.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype("time.left_next_door")]
#[protocol(reply = u64)]
struct TimeLeftNextDoor;

/// Takes for ever.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype("time.forever")]
struct Forever;

/// Takes longer than its caller waits, and must not be stopped half-way.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype("time.commit")]
struct Commit;

// The handlers. Those of the second server and of the client are in groups of their own.

#[handler]
async fn time_left(_: TimeLeft, context: Context) -> u64 {
    left(&context)
}

#[handler(group = "client")]
async fn clients_time_left(_: TimeLeft, context: Context) -> u64 {
    left(&context)
}

/// What a handler sends through its own `Peer` has no more time than the handler.
#[handler]
async fn in_return(_: TimeLeftInReturn, peer: Peer) -> Result<u64, dip::Rejection> {
    Ok(peer.call(&TimeLeft).await?)
}

/// Any other client is put into the scope of the handler's context.
#[handler(group = "next door")]
async fn next_door(
    _: TimeLeftNextDoor,
    context: Context,
    State(client): State<Client>,
) -> Result<u64, dip::Rejection> {
    Ok(context.scope(&client).call(&TimeLeft).await?)
}

#[handler]
async fn forever(_: Forever, State(log): State<Log>) {
    let _stopped = SayOnDrop(log.clone(), "forever: stopped");
    log.say("forever: started");
    std::future::pending::<()>().await;
}

/// Runs to its end although its caller has given up; its reply is dropped.
#[handler(no_cancel)]
async fn commit(
    _: Commit,
    context: Context,
    State(log): State<Log>,
    State(go): State<Arc<Notify>>,
) {
    log.say("commit: half done");
    context.cancelled().await;
    log.say("commit: nobody waits for it any more");
    go.notified().await;
    log.say("commit: done");
}

fn left(context: &Context) -> u64 {
    let left = context.deadline().saturating_duration_since(Instant::now());
    u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
}

/// What the handlers have to say, in its order.
#[derive(Clone)]
struct Log(UnboundedSender<&'static str>);

impl Log {
    fn say(&self, line: &'static str) {
        // Nobody listens when the program ends.
        _ = self.0.send(line);
    }
}

struct SayOnDrop(Log, &'static str);

impl Drop for SayOnDrop {
    fn drop(&mut self) {
        self.0.say(self.1);
    }
}

async fn hear(lines: &mut UnboundedReceiver<&'static str>, expected: &str) {
    assert_eq!(lines.recv().await, Some(expected));
    println!("  {expected}");
}

fn shows(what: &str, left: u64, limit: u64) {
    // A second for a slow machine.
    assert!((limit - 1000..=limit).contains(&left), "{left} ms of {limit}");
    println!("{what}: between {} and {limit} ms are left", limit - 1000);
}

#[tokio::main]
async fn main() -> dip::Result<()> {
    let directory = tempfile::tempdir()?;
    let (log, mut lines) = unbounded_channel();
    let go = Arc::new(Notify::new());
    let path = directory.path().join("time.sock");
    let server = Server::builder(&path).state(Log(log)).state(go.clone()).bind().await?;
    tokio::spawn(server.run());
    let client = Client::builder(&path).router(Router::group("client")).connect().await?;

    // A second server, whose handler is a client of the first.
    let door = directory.path().join("next_door.sock");
    let server = Server::builder(&door).router(Router::group("next door")).state(client.clone());
    tokio::spawn(server.bind().await?.run());
    let neighbour = Client::connect(&door).await?;

    // The message says how long it may take; a call may say otherwise.
    shows("deadline = \"2s\" of the message", client.call(&TimeLeft).await?, 2000);
    let own = Duration::from_secs(5);
    shows(".timeout(5 s) of the call", client.call(&TimeLeft).timeout(own).await?, 5000);

    // A handler's own calls inherit its deadline: `TimeLeft` never gets its 2 s here.
    let short = Duration::from_millis(1500);
    let left = client.call(&TimeLeftInReturn).timeout(short).await?;
    shows("inherited through `Peer`, 1.5 s", left, 1500);
    let left = neighbour.call(&TimeLeftNextDoor).timeout(short).await?;
    shows("inherited through `scope`, 1.5 s", left, 1500);

    // When the time is over the handler is stopped.
    println!("a call with 500 ms:");
    let begun = Instant::now();
    let reply = client.send(&Forever).timeout(Duration::from_millis(500)).await;
    assert!(begun.elapsed() >= Duration::from_millis(500));
    hear(&mut lines, "forever: started").await;
    hear(&mut lines, "forever: stopped").await;
    // By the caller's clock, or by the server's if that was first.
    assert!(reply.is_err_and(|error| error.is_deadline() && error.may_have_run()));
    println!("  its time was over: it may have run");

    // The same when the call is dropped.
    println!("a call that is dropped:");
    let call = client.send(&Forever);
    tokio::select! {
        reply = call => panic!("it takes for ever: {reply:?}"),
        () = hear(&mut lines, "forever: started") => {}
    }
    hear(&mut lines, "forever: stopped").await;

    // Unless the handler says `no_cancel`.
    println!("a call that is dropped, of a handler with `no_cancel`:");
    let call = client.send(&Commit);
    tokio::select! {
        reply = call => panic!("it waits to be told to go on: {reply:?}"),
        () = hear(&mut lines, "commit: half done") => {}
    }
    hear(&mut lines, "commit: nobody waits for it any more").await;
    go.notify_one();
    hear(&mut lines, "commit: done").await;

    neighbour.close().await?;
    client.close().await
}
