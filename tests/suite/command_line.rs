//! The program `dip`, as a child process.

mod listen;
mod messages;
mod send;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(30);

fn dip() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dip_command"));
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs `dip` to its end.
async fn dip_with(arguments: &[&str]) -> Output {
    let output = timeout(LIMIT, dip().args(arguments).output());
    output.await.expect("it ends").unwrap()
}

/// A running `dip listen`, whose output goes to a file: what is there has been flushed.
struct Listening {
    child: Child,
    /// Where it says it listens.
    address: String,
    directory: TempDir,
}

impl Listening {
    async fn on(address: &str, options: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut child = dip()
            .current_dir(&directory)
            .args(["listen", address])
            .args(options)
            .stdout(File::create(directory.path().join("lines")).unwrap())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = timeout(LIMIT, errors.next_line()).await.expect("it begins").unwrap().unwrap();
        let address = line.strip_prefix("dip: listening on ").expect(&line).to_owned();
        // What it says later is read to its end, so that it never waits.
        tokio::spawn(async move { while let Ok(Some(_)) = errors.next_line().await {} });
        Self { child, address, directory }
    }

    async fn on_a_path(options: &[&str]) -> (Self, UnixStream) {
        let listening = Self::on("socket", options).await;
        let stream = UnixStream::connect(listening.path()).await.unwrap();
        (listening, stream)
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    /// What it has printed.
    fn lines(&self) -> Vec<Value> {
        let lines = std::fs::read_to_string(self.directory.path().join("lines")).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Its exit code after this signal.
    async fn end(&mut self, signal: Signal) -> Option<i32> {
        let pid = Pid::from_raw(self.child.id().unwrap().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
        timeout(LIMIT, self.child.wait()).await.expect("it ends").unwrap().code()
    }
}

/// What `dip send` ends with: its exit code, and what it says.
async fn send(arguments: &[&str]) -> (i32, String) {
    let output = dip_with(&[&["send"], arguments].concat()).await;
    assert!(output.stdout.is_empty(), "{arguments:?}");
    let errors = String::from_utf8(output.stderr).unwrap();
    (output.status.code().expect("no signal ended it"), errors)
}

/// It was acknowledged.
async fn sent(arguments: &[&str]) {
    assert_eq!(send(arguments).await, (0, String::new()), "{arguments:?}");
}

/// It was not; the text tells why.
async fn fails(arguments: &[&str], code: i32, says: &str) {
    let (actual, errors) = send(arguments).await;
    assert_eq!(actual, code, "{arguments:?}: {errors}");
    assert!(errors.contains(says), "{arguments:?}: {errors}");
}

#[tokio::test]
async fn wrong_arguments_are_told_apart_from_failures() {
    let cases: &[(&[&str], i32, &str)] = &[
        (&[], 2, "Usage:"),
        (&["serve"], 2, "unrecognized subcommand 'serve'"),
        (&["listen"], 2, "<ADDRESS>"),
        (&["listen", "socket", "--hx"], 2, "'--hx'"),
        (&["listen", "localhost:7000"], 2, "accepted are PATH, unix:PATH, tcp:HOST:PORT"),
        (&["listen", "tcp:localhost:x"], 2, "0 to 65535"),
        (&["listen", "socket", "--wire", "telegraph"], 2, "[possible values: classic, native]"),
        (&["listen", "socket", "--name", "Jobs!"], 2, "a name is of a-z"),
        (&["listen", "/no/such/directory/socket"], 1, "/no/such/directory"),
    ];
    assert!(!Path::new("/no/such/directory").exists());
    for (arguments, code, says) in cases {
        let output = dip_with(arguments).await;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(*code), "{arguments:?}: {errors}");
        assert!(errors.contains(says), "{arguments:?}: {errors}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}
