//! Many worker processes against one master process: nothing is lost, doubled or mixed up, and the
//! master's memory stays flat.
//!
//! A binary of its own, for it takes all of the machine: tests with time limits run before or after it.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::ops::Range;
use std::process::Stdio;
use std::time::Duration;

use dip_tests::process::{resident, run};
use dip_tests::python::python;
use dip_tests::step::Report;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinSet;

const WORKERS: u32 = 64;
const LIMIT: Duration = Duration::from_secs(120);

/// By how much the master's memory may differ between two rounds.
const FLAT: u64 = 4 << 20;

/// Messages of each worker, or as many as `DIP_LOAD_MESSAGES` says. Without optimizations they take
/// ten times as long.
fn messages() -> u64 {
    match std::env::var("DIP_LOAD_MESSAGES") {
        Ok(number) => number.parse().unwrap(),
        Err(_) if cfg!(debug_assertions) => 1_000,
        Err(_) => 10_000,
    }
}

struct Master {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
    directory: TempDir,
}

impl Master {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_master"))
            .arg(directory.path().join("socket"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(output.next_line().await.unwrap().as_deref(), Some("listening"));
        Self { child, output, directory }
    }

    fn address(&self) -> String {
        self.directory.path().join("socket").to_str().unwrap().to_owned()
    }

    /// Lets workers with these numbers send their messages, all at once.
    async fn serve(&self, workers: Range<u32>, messages: u64) {
        let mut running = JoinSet::new();
        for worker in workers {
            let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
            command.args([self.address(), worker.to_string(), messages.to_string()]);
            running.spawn(async move { run(&mut command, b"", LIMIT).await });
        }
        running.join_all().await;
    }

    fn resident(&self) -> Option<u64> {
        resident(self.child.id().unwrap())
    }

    /// Ends the master and checks that it has seen so many messages of each worker.
    async fn end(mut self, expected: &[(Range<u32>, u64)]) {
        drop(self.child.stdin.take());
        let report = self.output.next_line().await.unwrap().unwrap();
        assert!(self.child.wait().await.unwrap().success());

        let report: Report = serde_json::from_str(&report).unwrap();
        assert!(report.refused.is_empty(), "{:?}", report.refused);
        let seen: Vec<_> = report.last.iter().map(|step| (step.worker, step.number)).collect();
        let expected: Vec<_> = expected
            .iter()
            .flat_map(|(workers, messages)| workers.clone().map(|worker| (worker, *messages)))
            .collect();
        assert_eq!(seen, expected);
        assert_eq!(report.accepted, expected.iter().map(|(_, messages)| messages).sum::<u64>());
    }
}

#[tokio::test]
async fn sixty_four_workers_lose_double_and_mix_up_nothing_and_memory_stays_flat() {
    let master = Master::start().await;
    let (warm_up, rest) = (0..WORKERS, WORKERS..2 * WORKERS);
    let few = messages().div_ceil(10);

    master.serve(warm_up.clone(), few).await;
    let before = master.resident();
    master.serve(rest.clone(), messages()).await;
    if let (Some(before), Some(after)) = (before, master.resident()) {
        assert!(after < before + FLAT, "{before} bytes after the first round, then {after}");
    }
    master.end(&[(warm_up, few), (rest, messages())]).await;
}

#[tokio::test]
async fn eight_python_workers_lose_double_and_mix_up_nothing() {
    const MESSAGES: u64 = 500;
    let Some(python) = python() else { return };
    let master = Master::start().await;
    let mut running = JoinSet::new();
    for number in 0..8 {
        let input = json!({"address": master.address(), "number": number, "messages": MESSAGES});
        running.spawn(async move { python.run::<u64>("load.py", &input, LIMIT).await });
    }
    assert_eq!(running.join_all().await, [MESSAGES; 8]);
    master.end(&[(0..8, MESSAGES)]).await;
}
