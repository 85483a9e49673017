//! Messages, handlers, and a server in a thread of its own.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dip::blocking::Client;
use dip::{Bytes, CallError, Peer, Protocol, Rejection, Router, Server, ServerBuilder, handler};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::sync::oneshot;

#[derive(Serialize, Deserialize, Protocol)]
#[mtype("blocking.add")]
#[protocol(reply = i64, error = Overflow)]
pub(super) struct Add {
    pub(super) a: i64,
    pub(super) b: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Overflow {
    pub(super) by: i64,
}

impl fmt::Display for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the sum is out of range by {}", self.by)
    }
}

impl std::error::Error for Overflow {}

#[handler(group = "blocking")]
async fn add(Add { a, b }: Add) -> Result<i64, Overflow> {
    a.checked_add(b).ok_or(Overflow { by: b })
}

#[derive(Serialize, Deserialize, Protocol)]
#[mtype("blocking.refuse")]
pub(super) struct Refuse(pub(super) String);

#[handler(group = "blocking")]
async fn refuse(Refuse(why): Refuse) -> Result<(), Rejection> {
    Err(Rejection::named("ValueError", why))
}

/// Replies after so many milliseconds, and counts itself in [`DROPPED`] when it is dropped before.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype("blocking.sleep")]
#[protocol(reply = u64)]
pub(super) struct Sleep(pub(super) u64);

pub(super) static DROPPED: AtomicUsize = AtomicUsize::new(0);

struct Dropped;

impl Drop for Dropped {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

#[handler(group = "blocking")]
async fn sleep(Sleep(ms): Sleep) -> u64 {
    let dropped = Dropped;
    tokio::time::sleep(Duration::from_millis(ms)).await;
    std::mem::forget(dropped);
    ms
}

/// Comes back byte for byte.
#[derive(Protocol)]
#[mtype("blocking.echo")]
#[protocol(codec = raw, reply = Bytes, reply_codec = raw)]
pub(super) struct Echo(pub(super) Bytes);

#[handler(group = "blocking")]
async fn echo(Echo(body): Echo) -> Bytes {
    body
}

#[derive(Serialize, Deserialize, Protocol)]
#[mtype("blocking.note")]
pub(super) struct Note {
    pub(super) to: String,
    pub(super) text: String,
}

/// What came, with the test that it is for.
static NOTES: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

#[handler(group = "blocking")]
async fn note(Note { to, text }: Note) {
    NOTES.lock().unwrap().push((to, text));
}

pub(super) fn notes_to(test: &str) -> Vec<String> {
    let notes = NOTES.lock().unwrap();
    notes.iter().filter(|(to, _)| to == test).map(|(_, text)| text.clone()).collect()
}

/// Calls its sender, and replies with the error of that.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype("blocking.call_back")]
#[protocol(reply = String)]
pub(super) struct CallBack;

#[handler(group = "blocking")]
async fn call_back(_: CallBack, peer: Peer) -> String {
    format!("{:?}", peer.call(&Add { a: 1, b: 1 }).await.unwrap_err())
}

/// A server with a runtime of its own; dropping it stops it at once.
pub(super) struct Served {
    pub(super) server: Server,
    pub(super) address: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    pub(super) fn at(
        address: &str,
        options: impl FnOnce(ServerBuilder) -> ServerBuilder + Send + 'static,
    ) -> Self {
        let builder = Server::builder(address).router(Router::group("blocking"));
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let bound = options(builder).bind().await.unwrap();
                tell.send((bound.server(), bound.local_addr().to_string())).unwrap();
                tokio::select! {
                    ended = bound.run() => ended.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        let (server, address) = told.recv().unwrap();
        Self { server, address, stop: Some(stop), thread: Some(thread) }
    }

    pub(super) fn client(&self) -> Client {
        Client::connect(self.address.as_str()).unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A directory for the socket of a server that may be started again.
pub(super) struct Place(TempDir);

impl Place {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self) -> PathBuf {
        self.0.path().join("s")
    }

    pub(super) fn serve(&self) -> Served {
        Served::at(self.path().to_str().unwrap(), |builder| builder)
    }
}

/// A server, and a client of it.
pub(super) fn served() -> (Place, Served, Client) {
    let place = Place::new();
    let served = place.serve();
    let client = served.client();
    (place, served, client)
}

/// Serves one connection after the other from a thread, byte for byte.
pub(super) fn script(
    path: &Path,
    serve: impl Fn(usize, std::os::unix::net::UnixStream) + Send + 'static,
) {
    let listener = std::os::unix::net::UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            serve(number, stream.unwrap());
        }
    });
}

/// Whether a call ended because its time was over, by whichever clock.
pub(super) fn is_late<E>(error: &CallError<E>) -> bool {
    error.is_deadline() && error.may_have_run()
}

/// Waits until it is so, for 5 s.
pub(super) fn eventually(what: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(5);
    while !what() {
        assert!(Instant::now() < until, "it did not come about");
        std::thread::sleep(Duration::from_millis(2));
    }
}
