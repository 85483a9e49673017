//! Messages, handlers and a server for tests of the native wire.

use std::fmt;

use bytes::Bytes;
use dip::{
    Client, ClientBuilder, Context, Limits, Mtype, Peer, Protocol, Rejection, Router, Server,
    ServerBuilder, State, handler,
};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::task::JoinHandle;

pub(crate) use crate::server::support::{Gate, Log, in_time, ms, until};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Protocol)]
#[mtype("native.add")]
#[protocol(reply = i64, error = Overflow)]
pub(crate) struct Add {
    pub(crate) a: i64,
    pub(crate) b: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Overflow {
    pub(crate) by: i64,
}

impl fmt::Display for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the sum is out of range by {}", self.by)
    }
}

impl std::error::Error for Overflow {}

#[handler(group = "native")]
async fn add(Add { a, b }: Add) -> Result<i64, Overflow> {
    a.checked_add(b).ok_or(Overflow { by: b })
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Protocol)]
#[mtype("native.refuse")]
pub(crate) struct Refuse(pub(crate) String);

#[handler(group = "native")]
async fn refuse(Refuse(why): Refuse) -> Result<(), Rejection> {
    Err(Rejection::named("ValueError", why))
}

/// Is logged at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Protocol)]
#[mtype("native.note")]
pub(crate) struct Note(pub(crate) String);

#[handler(group = "native")]
async fn note(Note(text): Note, State(log): State<Log>) {
    log.push(text);
}

/// Is logged in order of arrival, by a handler that waits now and then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Protocol)]
#[mtype("native.line")]
pub(crate) struct Line(pub(crate) u64);

#[handler(group = "native", ordered = "connection")]
async fn line(Line(number): Line, State(log): State<Log>) {
    if number.is_multiple_of(7) {
        tokio::task::yield_now().await;
    }
    if number == 10 {
        // From now on its handler becomes a task before it is polled.
        std::thread::sleep(ms(2));
    }
    log.push(number.to_string());
}

/// Waits at the gate; the log says when its handler began, and how it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Protocol)]
#[mtype("native.wait")]
pub(crate) struct Wait(pub(crate) String);

#[handler(group = "native")]
async fn wait(Wait(name): Wait, State(gate): State<Gate>, State(log): State<Log>) {
    let mut told = Told::begin(&name, &log);
    gate.pass().await;
    told.how = "done";
}

/// Says in the log what became of a handler, also when it is dropped.
pub(crate) struct Told {
    name: String,
    log: Log,
    pub(crate) how: &'static str,
}

impl Told {
    pub(crate) fn begin(name: &str, log: &Log) -> Self {
        log.push(format!("{name} begun"));
        Self { name: name.to_owned(), log: log.clone(), how: "dropped" }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.log.push(format!("{} {}", self.name, self.how));
    }
}

/// Comes back as it is.
#[derive(Clone, Debug, PartialEq, Protocol)]
#[mtype("native.echo")]
#[protocol(codec = raw, reply = Bytes, reply_codec = raw)]
pub(crate) struct Echo(pub(crate) Bytes);

#[handler(group = "native")]
async fn echo(Echo(bytes): Echo) -> Bytes {
    bytes
}

/// Goes back and forth so often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Protocol)]
#[mtype("native.bounce")]
#[protocol(reply = Bounced)]
pub(crate) struct Bounce(pub(crate) u32);

/// How often it did, and why not more often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bounced(pub(crate) u32, pub(crate) String);

#[handler(group = "native")]
async fn bounce(Bounce(left): Bounce, peer: Peer) -> Bounced {
    if left == 0 {
        return Bounced(0, String::new());
    }
    match peer.call(&Bounce(left - 1)).await {
        Ok(Bounced(times, why)) => Bounced(times + 1, why),
        Err(error) => Bounced(0, format!("{error:?}")),
    }
}

/// Is answered with how many milliseconds are left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Protocol)]
#[mtype("native.left")]
#[protocol(reply = u64, deadline = "7s")]
pub(crate) struct Left;

#[handler(group = "native")]
async fn left(_: Left, context: Context) -> u64 {
    let left = context.deadline().saturating_duration_since(std::time::Instant::now());
    u64::try_from(left.as_millis()).unwrap()
}

/// A type that no router of these tests handles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Protocol)]
#[mtype("native.unheard")]
pub(crate) struct Unheard;

/// A server of the group `native`, and a client of it that handles the same messages.
pub(crate) struct Served {
    pub(crate) server: Server,
    pub(crate) client: Client,
    pub(crate) path: std::path::PathBuf,
    /// What the handlers of both sides log, and where they wait.
    pub(crate) log: Log,
    pub(crate) gate: Gate,
    pub(crate) running: JoinHandle<dip::Result<()>>,
    _directory: TempDir,
}

pub(crate) async fn served() -> Served {
    served_with(|builder| builder).await
}

pub(crate) async fn served_with(options: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Served {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let (log, gate) = (Log::default(), Gate::closed());
    let builder = Server::builder(&path).router(Router::group("native")).limits(Limits::default());
    let builder = builder.state(log.clone()).state(gate.clone());
    let bound = options(builder).bind().await.unwrap();
    let server = bound.server();
    let running = tokio::spawn(bound.run());
    let client = client_of(&path, &log, &gate).connect().await.unwrap();
    Served { server, client, path, log, gate, running, _directory: directory }
}

/// A client that handles what its server handles.
fn client_of(path: &std::path::Path, log: &Log, gate: &Gate) -> ClientBuilder {
    let router = Router::group("native");
    Client::builder(path).router(router).state(log.clone()).state(gate.clone())
}

impl Served {
    /// One more client.
    pub(crate) fn another(&self) -> ClientBuilder {
        client_of(&self.path, &self.log, &self.gate)
    }

    /// How the server ended.
    pub(crate) async fn ended(&mut self) -> dip::Result<()> {
        in_time(&mut self.running).await.unwrap()
    }

    /// Drops the future of the server.
    pub(crate) fn abort(&self) {
        self.running.abort();
    }

    /// How many handlers of this type run.
    pub(crate) fn in_flight<M: Protocol>(&self) -> u64 {
        self.of(M::MTYPE).in_flight
    }

    pub(crate) fn of(&self, mtype: Mtype) -> dip::TypeStats {
        self.server.stats().of(mtype).unwrap().clone()
    }

    /// Waits until so many connections are open.
    pub(crate) async fn connections(&self, count: u64) {
        until(|| self.server.stats().connections == count).await;
    }
}
