//! Addresses that are neither a path nor a port: names in memory, and sockets that a process inherits.

use std::io::{BufRead, BufReader, Lines};
use std::os::fd::{IntoRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dip::builtin::{Stderr, Stdout};
use dip::{
    BindError, Bound, CallError, Client, ConnectError, Error, InheritError, Peer, Reason, Router,
    Server, State, handler,
};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(30);

/// Who has sent something.
type Seen = Arc<Mutex<Vec<(u32, String)>>>;

#[handler]
async fn see(Stdout(text): Stdout, State(seen): State<Seen>, peer: Peer) {
    seen.lock().unwrap().push((peer.pid().unwrap().get(), text));
}

/// A server in this process, until its test ends.
struct Serving {
    server: Server,
    seen: Seen,
    task: JoinHandle<dip::Result<()>>,
}

impl Serving {
    async fn at(address: &str) -> Self {
        let (bound, seen) = bind(address).await.unwrap();
        let server = bound.server();
        Self { server, seen, task: tokio::spawn(bound.run()) }
    }

    async fn stop(self) {
        self.server.shutdown();
        timeout(LIMIT, self.task).await.unwrap().unwrap().unwrap();
    }
}

async fn bind(address: &str) -> dip::Result<(Bound, Seen)> {
    let seen = Seen::default();
    let builder = Server::builder(address).router(Router::new().handler(see));
    Ok((builder.state(seen.clone()).bind().await?, seen))
}

#[tokio::test]
async fn a_client_reaches_a_server_of_its_process_by_name() {
    let serving = Serving::at("mem:by name").await;
    let client = Client::connect("mem:by name").await.unwrap();
    client.send(&Stdout("hello".into())).await.unwrap();
    assert_eq!(*serving.seen.lock().unwrap(), [(std::process::id(), "hello".into())]);
    let error = bind("mem:by name").await.map(drop).unwrap_err();
    assert!(matches!(error, Error::Bind(BindError::NameInUse { .. })), "{error}");
}

#[tokio::test]
async fn a_name_is_free_when_its_server_has_stopped() {
    let serving = Serving::at("mem:stops").await;
    let client = Client::connect("mem:stops").await.unwrap();
    client.send(&Stdout("hello".into())).await.unwrap();
    serving.stop().await;
    let error = Client::connect("mem:stops").await.unwrap_err();
    assert!(matches!(error, Error::Connect(ConnectError::NoServer { .. })), "{error}");

    let serving = Serving::at("mem:stops").await;
    // The idle connection to the first server is seen to have ended.
    client.send(&Stdout("again".into())).await.unwrap();
    assert_eq!(serving.seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_client_has_one_connection_on_a_descriptor_whatever_its_pool() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let serving = Serving::at(path.to_str().unwrap()).await;
    let socket = UnixStream::connect(&path).unwrap();
    fcntl_setfd(&socket, FdFlags::empty()).unwrap();
    let fd = socket.into_raw_fd();

    let client = Client::builder(format!("fd:{fd}")).pool_size(16).connect().await.unwrap();
    let sends: Vec<_> = (0..8)
        .map(|n| {
            let client = client.clone();
            tokio::spawn(async move { client.send(&Stdout(n.to_string())).await })
        })
        .collect();
    for send in sends {
        send.await.unwrap().unwrap();
    }
    assert_eq!(serving.seen.lock().unwrap().len(), 8);
    assert_eq!(serving.server.stats().accepted, 1);

    serving.stop().await;
    let error = client.send(&Stdout("late".into())).await.unwrap_err();
    let CallError::NotSent(Reason::Connect(ConnectError::Inherit(error))) = error else {
        panic!("{error:?}");
    };
    assert!(matches!(error, InheritError::Taken { .. }), "{error}");
}

/// A server in a process of its own. Killed when dropped.
struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "ready");
        Self { child, lines }
    }

    /// Sends it a text over the socket at `path`, and checks that it has printed it.
    async fn prints(&mut self, path: &std::path::Path, text: &str) {
        let client = Client::connect(path).await.unwrap();
        client.send(&Stderr(text.into())).await.unwrap();
        assert_eq!(self.lines.next().unwrap().unwrap(), text);
    }

    fn stop(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        assert_eq!(self.lines.next().unwrap().unwrap(), "stopped");
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// The server program, on sockets that a shell passes to it as systemd does: the standard input is
/// the first, the standard error the second.
fn activated(address: &str, variables: &str) -> Command {
    let mut command = Command::new("sh");
    let script = format!("export {variables}; exec \"$0\" \"$1\" 3<&0 4<&2 0</dev/null 2>&1");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_server"), address]);
    command
}

fn listen(path: &std::path::Path) -> Stdio {
    OwnedFd::from(UnixListener::bind(path).unwrap()).into()
}

#[tokio::test]
async fn a_server_serves_the_socket_that_its_parent_has_bound() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
    let mut server = Process::start(command.arg("fd:0").stdin(listen(&path)));
    drop(command);
    server.prints(&path, "hello").await;
    server.stop();
    assert!(path.exists());
    // The socket was the server's alone: it is closed.
    let error = Client::connect(&path).await.unwrap_err();
    assert!(matches!(error, Error::Connect(ConnectError::NoServer { .. })), "{error}");
}

#[tokio::test]
async fn a_client_talks_over_the_connection_that_its_parent_has_made() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_dip_command"));
    command
        .args(["send", "fd:0", "O", "\"hello\"", "--no-id", "--wire", "classic"])
        .kill_on_drop(true);
    let mut client = command.stdin(OwnedFd::from(theirs)).spawn().unwrap();
    drop(command);

    ours.set_nonblocking(true).unwrap();
    let mut ours = tokio::net::UnixStream::from_std(ours).unwrap();
    let mut frame = [0; 10];
    timeout(LIMIT, ours.read_exact(&mut frame)).await.unwrap().unwrap();
    assert_eq!(&frame, b"O\0\0\0\x05hello");
    ours.write_all(b"ok").await.unwrap();
    assert!(timeout(LIMIT, client.wait()).await.unwrap().unwrap().success());
    assert_eq!(ours.read(&mut frame).await.unwrap(), 0);
}

#[tokio::test]
async fn a_server_serves_all_sockets_that_systemd_has_passed() {
    let directory = tempfile::tempdir().unwrap();
    let [one, two] = ["one", "two"].map(|name| directory.path().join(name));
    let mut command = activated("systemd:", "LISTEN_PID=$$ LISTEN_FDS=2");
    let mut server = Process::start(command.stdin(listen(&one)).stderr(listen(&two)));
    for path in [&one, &two, &one] {
        server.prints(path, path.to_str().unwrap()).await;
    }
    server.stop();
    assert!(one.exists() && two.exists());
}

#[tokio::test]
async fn a_server_serves_the_socket_with_the_name_that_it_asks_for() {
    let directory = tempfile::tempdir().unwrap();
    let [web, jobs] = ["web", "jobs"].map(|name| directory.path().join(name));
    let variables = "LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:jobs";
    let mut command = activated("systemd:jobs", variables);
    let mut server = Process::start(command.stdin(listen(&web)).stderr(listen(&jobs)));
    server.prints(&jobs, "hello").await;
    let other = Client::builder(&web).timeout(Duration::from_millis(100)).connect().await;
    assert!(matches!(other, Err(Error::Connect(ConnectError::TimedOut { .. }))), "{other:?}");
    server.stop();
}

#[tokio::test]
async fn sockets_that_systemd_has_passed_to_another_process_are_not_taken() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = activated("systemd:", "LISTEN_PID=1 LISTEN_FDS=1");
    let output = command.stdin(listen(&directory.path().join("s"))).output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("systemd has passed no sockets to this process"), "{said}");
}
