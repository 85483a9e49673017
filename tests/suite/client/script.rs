//! A server that does byte for byte what a test says.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// A listening server; it and its connections end when it is dropped.
pub(crate) struct Script {
    directory: tempfile::TempDir,
    accepted: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl Script {
    /// Serves each connection by `serve`, which is told its number from 0 on.
    pub(crate) fn new<F, Fut>(serve: F) -> Self
    where
        F: Fn(usize, Line) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let directory = tempfile::tempdir().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let server = listen(&directory.path().join("s"), accepted.clone(), serve);
        Self { directory, accepted, server }
    }

    /// Acknowledges the id, then gives each frame's body to `reply` and says what it returns.
    pub(crate) fn replying(reply: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let reply = Arc::new(reply);
        Self::new(move |_, mut line| {
            let reply = reply.clone();
            async move {
                line.greet().await;
                while let Some((_, body)) = line.frame().await {
                    line.say(reply(&body)).await;
                }
            }
        })
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("s")
    }

    /// How many connections there have been.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(SeqCst)
    }

    /// The server dies, and another one takes its place at the same path.
    pub(crate) async fn restart<F, Fut>(&mut self, serve: F)
    where
        F: Fn(usize, Line) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.server.abort();
        let _ = (&mut self.server).await;
        std::fs::remove_file(self.path()).unwrap();
        self.server = listen(&self.path(), self.accepted.clone(), serve);
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn listen<F, Fut>(path: &Path, accepted: Arc<AtomicUsize>, serve: F) -> JoinHandle<()>
where
    F: Fn(usize, Line) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = UnixListener::bind(path).unwrap();
    tokio::spawn(async move {
        let mut lines = tokio::task::JoinSet::new();
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            accepted.fetch_add(1, SeqCst);
            lines.spawn(serve(number, Line(stream)));
        }
    })
}

/// The server's end of a connection.
pub(crate) struct Line(pub(crate) UnixStream);

impl Line {
    /// The next frame, or `None` at the end of the stream.
    pub(crate) async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let mtype = self.0.read_u8().await.ok()?;
        let len = self.0.read_u32().await.ok()?;
        let mut body = vec![0; len as usize];
        self.0.read_exact(&mut body).await.ok()?;
        Some((mtype, body))
    }

    /// Takes the frame with the id and acknowledges it.
    pub(crate) async fn greet(&mut self) -> Uuid {
        let id = self.id().await;
        self.say("ok").await;
        id
    }

    /// The same where the client may have given up before.
    pub(crate) async fn greeted(&mut self) -> bool {
        let claimed = self.frame().await.is_some_and(|(mtype, _)| mtype == 0x1d);
        self.say("ok").await;
        claimed
    }

    /// The frame with the id.
    pub(crate) async fn id(&mut self) -> Uuid {
        let Some((0x1d, id)) = self.frame().await else { panic!("the first frame is no id") };
        Uuid::from_slice(&id).unwrap()
    }

    pub(crate) async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        // The client may have left.
        let _ = self.0.write_all(bytes.as_ref()).await;
    }

    /// Says these pieces one by one: the client is given a turn behind each.
    pub(crate) async fn say_in_pieces(&mut self, pieces: &[&[u8]]) {
        for piece in pieces {
            self.say(piece).await;
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Waits until the client has closed, and says how many bytes came before.
    pub(crate) async fn closed(mut self) -> usize {
        let mut rest = Vec::new();
        let _ = self.0.read_to_end(&mut rest).await;
        rest.len()
    }
}
