//! A server for one test.

use dip::{Server, ServerBuilder};
use tempfile::TempDir;

/// What a test connects over.
#[derive(Clone, Copy, Debug)]
pub enum Over {
    /// A Unix socket in a directory of its own.
    Unix,
    /// A free TCP port.
    Tcp,
}

/// A server that runs as long as the runtime of its test.
#[derive(Debug)]
pub struct Serving {
    /// Where it listens: a path or `tcp:HOST:PORT`.
    pub address: String,
    /// The server.
    pub server: Server,
    _directory: TempDir,
}

/// Starts a server with these options.
///
/// # Panics
///
/// When it can't start.
pub async fn serve(over: Over, options: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Serving {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let builder = match over {
        Over::Unix => Server::builder(&path),
        Over::Tcp => Server::builder("tcp:127.0.0.1:0").insecure_no_auth(true),
    };
    let bound = options(builder).bind().await.unwrap();
    let (address, server) = (bound.local_addr().to_string(), bound.server());
    tokio::spawn(bound.run());
    Serving { address, server, _directory: directory }
}
