//! Child processes of a test. They end with it: dropped is killed.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
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

/// The memory of a process that is in RAM, in bytes, where the system tells.
pub fn resident(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib << 10)
}
