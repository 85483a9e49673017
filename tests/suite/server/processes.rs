//! A server in a process of its own: memory, descriptors, signals, other users.

use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Instant;

use super::support::*;

const PROGRAM: &str = env!("CARGO_BIN_EXE_server");

/// A server that is killed when dropped.
struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    path: std::path::PathBuf,
    _directory: tempfile::TempDir,
}

impl Process {
    fn start(options: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let mut command = Command::new(PROGRAM);
        let mut child = command.arg(&path).args(options).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "ready");
        Self { child, lines, path, _directory: directory }
    }

    async fn connect(&self) -> Client {
        Client::connect(&self.path).await
    }

    /// A line of /proc/PID/status, in KiB.
    fn status(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Processor time used so far, in clock ticks of 10 ms.
    fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields = stat.rsplit(") ").next().unwrap().split_whitespace();
        fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    async fn exit(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "it does not exit");
            tokio::time::sleep(ms(5)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

#[tokio::test]
async fn headers_that_announce_gigabytes_cost_nothing() {
    let server = Process::start(&[]);
    let mut honest = server.connect().await;
    for _ in 0..20 {
        assert_eq!(honest.ask(b'O', "").await, "ok");
    }
    let before = (server.status("VmHWM"), server.status("VmRSS"));
    for bytes in [
        &b"O\xff\xff\xff\xff"[..],
        b"Z\xff\xff\xff\xff",
        b"Z\x40\0\0\0",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
        b"J\x04\0\0\0{",
    ] {
        let mut stranger = server.connect().await;
        stranger.write(bytes).await;
        if bytes[0] == b'J' {
            stranger.expect_silence(50).await;
        } else {
            assert!(stranger.rest().await.contains("Error("));
        }
    }
    assert_eq!(honest.ask(b'O', "").await, "ok");
    let after = (server.status("VmHWM"), server.status("VmRSS"));
    assert!(
        after.0 - before.0 < 1024 && after.1.saturating_sub(before.1) < 1024,
        "{before:?} {after:?}"
    );
}

#[tokio::test]
async fn a_long_body_is_let_go_though_another_frame_has_begun_behind_it() {
    let server = Process::start(&[]);
    let mut long = frame(b'O', vec![b'x'; 4 << 20]);
    long.push(b'O');
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = server.connect().await;
        client.write(&long).await;
        client.expect("ok").await;
        clients.push(client);
    }
    let held = server.status("VmRSS");
    assert!(held < 40 << 10, "{held} KiB, of 80 MiB that have come and gone");
}

#[tokio::test]
async fn what_is_announced_takes_no_room_before_it_arrives() {
    let server = Process::start(&[]);
    assert_eq!(server.connect().await.ask(b'O', "").await, "ok");
    let before = server.status("VmHWM");
    let mut claims = Vec::new();
    for _ in 0..300 {
        let mut client = server.connect().await;
        client.write(b"O\x01\0\0\0x").await;
        claims.push(client);
    }
    assert_eq!(server.connect().await.ask(b'O', "").await, "ok");
    let more = server.status("VmHWM") - before;
    assert!(more < 16 << 10, "{more} KiB for 300 claims of 16 MiB");
}

#[tokio::test]
async fn a_server_short_of_descriptors_keeps_its_clients_and_takes_new_ones_later() {
    let server = Process::start(&["--descriptors", "64", "--hold", "40"]);
    let mut client = server.connect().await;
    assert_eq!(client.ask(b'O', "").await, "ok");
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(server.connect().await);
    }
    tokio::time::sleep(ms(200)).await;
    let (start, ticks) = (Instant::now(), server.ticks());
    while start.elapsed() < ms(1_000) {
        assert_eq!(client.ask(b'O', "").await, "ok");
        tokio::time::sleep(ms(20)).await;
    }
    let used = server.ticks() - ticks;
    assert!(used < 30, "it does not spin: {used} ticks of 100");
    drop(crowd);
    let ask = async {
        loop {
            let mut late = server.connect().await;
            late.send(b'O', "").await;
            let mut reply = [0; 2];
            let read = tokio::io::AsyncReadExt::read_exact(&mut late.0, &mut reply).await;
            if read.is_ok() && reply == *b"ok" {
                return;
            }
        }
    };
    in_time(ask).await;
}

#[tokio::test]
async fn a_signal_stops_it_gracefully() {
    let mut server = Process::start(&[]);
    let mut client = server.connect().await;
    client.send(b'O', "500").await;
    client.expect_silence(150).await;
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(client.rest().await, "ok");
    assert!(server.exit().await.success());
    assert_eq!(server.lines.next().unwrap().unwrap(), "stopped");
    assert!(!server.path.exists());
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut server = Process::start(&[]);
    let mut client = server.connect().await;
    client.send(b'O', "60000").await;
    client.expect_silence(150).await;
    server.signal(rustix::process::Signal::TERM);
    client.expect_silence(150).await;
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.exit().await.code(), Some(128 + 15));
}

#[tokio::test]
async fn handlers_that_outlast_the_drain_are_answered_before_the_process_ends() {
    let mut server = Process::start(&["--drain-ms", "200"]);
    let mut client = server.connect().await;
    client.send(b'O', "60000").await;
    client.expect_silence(150).await;
    server.signal(rustix::process::Signal::INT);
    assert_eq!(
        client.rest().await,
        "ConnectionError('the server stopped before the handler had ended')"
    );
    assert!(server.exit().await.success());
}

#[tokio::test]
async fn a_server_that_was_killed_leaves_a_path_that_the_next_one_takes() {
    let server = Process::start(&[]);
    let (mut client, path) = (server.connect().await, server.path.clone());
    client.write(&frame(b'O', "x")[..3]).await;
    server.signal(rustix::process::Signal::KILL);
    assert_eq!(client.rest().await, "");
    assert!(path.exists());
    let bound = in_time(async {
        loop {
            // The lock is free when the process is gone, which takes a moment.
            match dip::Server::builder(&path).router(dip::Router::new().handler(plain)).bind().await
            {
                Ok(bound) => return bound,
                Err(_) => tokio::time::sleep(ms(5)).await,
            }
        }
    })
    .await;
    let running = tokio::spawn(bound.run());
    assert_eq!(Client::connect(&path).await.ask(NOTE, "").await, "ok");
    running.abort();
}

#[dip::handler]
async fn plain(_: Note) {}

/// What a process of another user is told. Only root can be one.
#[tokio::test]
async fn another_user_is_told_why_it_may_not_connect() {
    if !rustix::process::getuid().is_root() {
        eprintln!("skipped: only root can act as another user");
        return;
    }
    let router = dip::Router::new().handler(plain);
    let running = serve_with(|builder| builder.router(router).access(dip::Access::uids([1]))).await;
    let directory = running.path().parent().unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(directory, open).unwrap();
    let program = directory.join("ask");
    std::fs::copy(PROGRAM, &program).unwrap();
    let said = ask_as(65534, &program, running.path()).await;
    assert!(said.starts_with("PermissionError(") && said.contains("65534"), "{said}");
    assert_eq!(ask_as(1, &program, running.path()).await, "ok");
    assert_eq!(running.server.stats().closed(dip::CloseReason::Denied), 1);
}

async fn ask_as(uid: u32, program: &Path, path: &Path) -> String {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(program);
    command.arg("ask").arg(path).arg("hi").uid(uid).gid(uid);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}
