//! A server in this process, and a client that knows nothing but the bytes of the classic wire.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dip::{Protocol, Router, Server, ServerBuilder};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// A text, of any length that the server takes.
#[derive(Clone, Debug, PartialEq, Eq, Protocol)]
#[mtype(0x90)]
#[protocol(codec = text)]
pub(crate) struct Note(pub(crate) String);

/// A text of a type with a limit of its own.
#[derive(Clone, Debug, PartialEq, Eq, Protocol)]
#[mtype(0x91)]
#[protocol(codec = text, max_len = "1 KiB")]
pub(crate) struct Brief(pub(crate) String);

pub(crate) const NOTE: u8 = 0x90;
pub(crate) const BRIEF: u8 = 0x91;

/// Longer than anything takes that ends at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What handlers have seen, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn push(&self, entry: impl Into<String>) {
        self.0.lock().unwrap().push(entry.into());
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn has(&self, entry: &str) -> bool {
        self.0.lock().unwrap().iter().any(|seen| seen == entry)
    }

    /// Waits until there are so many entries.
    pub(crate) async fn reaches(&self, len: usize) {
        until(|| self.0.lock().unwrap().len() >= len).await;
    }
}

/// Handlers stop at it until it is opened for them.
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<Semaphore>);

impl Gate {
    pub(crate) fn closed() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets `count` through.
    pub(crate) fn open(&self, count: usize) {
        self.0.add_permits(count);
    }

    pub(crate) async fn pass(&self) {
        self.0.acquire().await.unwrap().forget();
    }
}

/// A server that runs until it is dropped.
pub(crate) struct Running {
    pub(crate) server: Server,
    path: PathBuf,
    task: JoinHandle<dip::Result<()>>,
    _directory: TempDir,
}

/// Serves the handlers of `router`.
pub(crate) async fn serve(router: Router) -> Running {
    serve_with(|builder| builder.router(router)).await
}

/// Serves what `build` makes of a builder.
pub(crate) async fn serve_with(build: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Running {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let bound = build(Server::builder(&path)).bind().await.unwrap();
    let server = bound.server();
    Running { server, path, task: tokio::spawn(bound.run()), _directory: directory }
}

impl Running {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::connect(&self.path).await
    }

    /// How the server ended.
    pub(crate) async fn ended(&mut self) -> dip::Result<()> {
        in_time(&mut self.task).await.unwrap()
    }

    /// Drops the future of the server.
    pub(crate) fn abort(&self) {
        self.task.abort();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A client of the classic wire.
pub(crate) struct Client(pub(crate) UnixStream);

impl Client {
    pub(crate) async fn connect(path: &Path) -> Self {
        Self(in_time(UnixStream::connect(path)).await.unwrap())
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        in_time(self.0.write_all(bytes)).await.unwrap();
    }

    pub(crate) async fn send(&mut self, mtype: u8, body: impl AsRef<[u8]>) {
        self.write(&frame(mtype, body)).await;
    }

    /// The reply, as the Python client sees it: what one read returns.
    pub(crate) async fn reply(&mut self) -> String {
        let mut reply = vec![0; 4096];
        let len = in_time(self.0.read(&mut reply)).await.unwrap();
        reply.truncate(len);
        String::from_utf8(reply).unwrap()
    }

    /// The next bytes are these.
    pub(crate) async fn expect(&mut self, replies: &str) {
        let mut read = vec![0; replies.len()];
        in_time(self.0.read_exact(&mut read)).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&read), replies);
    }

    pub(crate) async fn ask(&mut self, mtype: u8, body: impl AsRef<[u8]>) -> String {
        self.send(mtype, body).await;
        self.reply().await
    }

    /// What the server says until it closes the connection.
    pub(crate) async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        // A reset comes behind everything that was said.
        _ = in_time(self.0.read_to_end(&mut rest)).await;
        String::from_utf8(rest).unwrap()
    }

    /// Nothing comes for a while, and the connection stays open.
    pub(crate) async fn expect_silence(&mut self, ms: u64) {
        let mut byte = [0];
        let read = tokio::time::timeout(Duration::from_millis(ms), self.0.read(&mut byte)).await;
        assert!(read.is_err(), "{read:?} {byte:?}");
    }
}

pub(crate) fn frame(mtype: u8, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let len = u32::try_from(body.len()).unwrap();
    [&[mtype][..], &len.to_be_bytes(), body].concat()
}

/// The reply to a type that nobody knows.
pub(crate) fn unknown(mtype: u8) -> String {
    format!("UnsupportedProtoError('No protocol found in registry for message type: {mtype}')")
}

/// What `future` gives, if it ends at all.
pub(crate) async fn in_time<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("it takes for ever")
}

/// Waits for a condition.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "it never comes true");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
