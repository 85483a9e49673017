//! Child processes of a test. They end with it: dropped is killed.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// Runs a program on `input` and returns what it printed; its standard error is the test's own.
///
/// # Panics
///
/// When the program fails, or has not ended within `limit`; then it is killed.
pub async fn run(command: &mut Command, input: &[u8], limit: Duration) -> Vec<u8> {
    let name = format!("{:?}", command.as_std());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut stdin = child.stdin.take().expect("it is piped");
    let ended = timeout(limit, async {
        // A program that ends without reading its input has its reasons; its exit code tells.
        _ = stdin.write_all(input).await;
        drop(stdin);
        child.wait_with_output().await
    });
    let output = ended.await.unwrap_or_else(|_| panic!("{name}: still runs after {limit:?}"));
    let output = output.unwrap_or_else(|error| panic!("{name}: {error}"));
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{name}: {}: {printed}", output.status);
    output.stdout
}

/// A program that prints lines, and may be told some; dropped is killed.
#[derive(Debug)]
pub struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

/// Longer than any program of a test takes for a line.
const LIMIT: Duration = Duration::from_secs(30);

impl Program {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// When there is no such program.
    pub fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("it starts");
        let stdin = child.stdin.take();
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Self { child, stdin, lines }
    }

    /// The next line that it prints.
    ///
    /// # Panics
    ///
    /// When it prints no more, or takes 30 s.
    pub async fn line(&mut self) -> String {
        let line = timeout(LIMIT, self.lines.next_line()).await.expect("it prints in time");
        line.expect("UTF-8").expect("it prints another line")
    }

    /// Gives it a line of input.
    ///
    /// # Panics
    ///
    /// When it reads no more.
    pub async fn tell(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("it is piped");
        stdin.write_all(format!("{line}\n").as_bytes()).await.expect("it reads");
    }

    /// Kills it, as `kill -9` does, and waits until it is gone.
    ///
    /// # Panics
    ///
    /// When it lives on.
    pub async fn kill(mut self) {
        timeout(LIMIT, self.child.kill()).await.expect("it ends").expect("it was there");
    }

    /// Kills it: when that was asked for, and when its output ended.
    ///
    /// # Panics
    ///
    /// When it lives on.
    pub async fn killed(mut self) -> (Instant, Instant) {
        self.child.start_kill().expect("it was there");
        let killed = Instant::now();
        let end = async { while self.lines.next_line().await.is_ok_and(|line| line.is_some()) {} };
        timeout(LIMIT, end).await.expect("its output ends");
        let silent = Instant::now();
        timeout(LIMIT, self.child.wait()).await.expect("it ends").expect("it was there");
        (killed, silent)
    }

    /// Ends its input and waits until it has ended, which it must with success.
    ///
    /// # Panics
    ///
    /// When it fails, or takes 30 s.
    pub async fn end(mut self) {
        drop(self.stdin.take());
        let status = timeout(LIMIT, self.child.wait()).await.expect("it ends in time");
        assert!(status.expect("it was there").success(), "it fails");
    }
}

/// The memory of a process that is in RAM, in bytes, where the system tells.
pub fn resident(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib << 10)
}
