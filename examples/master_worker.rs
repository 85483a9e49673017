//! One master, several worker processes: it starts them, receives what they print, how far they are
//! and what they found, and prints a table at the end.
//!
//! ```text
//! cargo run --example master_worker            # 4 workers
//! cargo run --example master_worker -- 8
//! ```

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;

use dip::builtin::Stdout;
use dip::{Client, Peer, Protocol, Server, State, handler};
use serde::{Deserialize, Serialize};
use tokio::process::Command;
use tokio::sync::Mutex;

// The messages. In a larger project they are a crate of their own, used by master and workers.

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'p')]
struct Progress {
    worker: u32,
    percent: u8,
}

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'R')]
struct Found {
    worker: u32,
    primes: u64,
    largest: u64,
}

// The master.

#[derive(Default)]
struct Row {
    pid: u32,
    lines: usize,
    percent: u8,
    found: Option<(u64, u64)>,
}

/// What the master knows of each worker process.
type Table = Arc<Mutex<BTreeMap<u32, Row>>>;

/// Changes what the master knows of the process at the other end.
async fn note(table: &Table, peer: &Peer, change: impl FnOnce(&mut Row)) {
    let pid = peer.pid().map_or(0, std::num::NonZero::get);
    change(table.lock().await.entry(pid).or_insert_with(|| Row { pid, ..Row::default() }));
}

#[handler]
async fn line(Stdout(text): Stdout, peer: Peer, State(table): State<Table>) {
    note(&table, &peer, |row| row.lines += 1).await;
    println!("[{}] {text}", peer.pid().map_or(0, std::num::NonZero::get));
}

#[handler]
async fn progress(progress: Progress, peer: Peer, State(table): State<Table>) {
    note(&table, &peer, |row| row.percent = progress.percent).await;
}

#[handler]
async fn found(found: Found, peer: Peer, State(table): State<Table>) {
    note(&table, &peer, |row| row.found = Some((found.primes, found.largest))).await;
}

async fn master(workers: u32) -> dip::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("master.sock");
    let table = Table::default();
    let bound = Server::builder(&path).state(table.clone()).bind().await?;
    let server = bound.server();
    let serving = tokio::spawn(bound.run());

    let program = std::env::current_exe()?;
    let mut running = Vec::new();
    for number in 0..workers {
        let mut worker = Command::new(&program);
        worker.arg("--worker").arg(number.to_string()).arg(&path).stdin(Stdio::null());
        running.push(worker.kill_on_drop(true).spawn()?);
    }
    for mut worker in running {
        let status = worker.wait().await?;
        if !status.success() {
            println!("a worker failed: {status}");
        }
    }
    server.shutdown();
    serving.await.map_err(std::io::Error::other)??;

    println!("\n{:>8}  {:>5}  {:>4}  {:>6}  {:>8}", "pid", "lines", "done", "primes", "largest");
    for row in table.lock().await.values() {
        let (primes, largest) = row.found.unwrap_or_default();
        println!(
            "{:>8}  {:>5}  {:>3}%  {primes:>6}  {largest:>8}",
            row.pid, row.lines, row.percent
        );
    }
    let sent = server.stats().types.iter().map(|stats| stats.count).sum::<u64>();
    println!("{sent} messages from {workers} processes");
    Ok(())
}

// A worker.

async fn worker(number: u32, path: &str) -> dip::Result<()> {
    const STEPS: u64 = 5;
    const NUMBERS: u64 = 20_000;
    let master = Client::connect(path).await?;
    let start = u64::from(number) * NUMBERS;
    master.send(&Stdout(format!("looking for primes from {start} on"))).await?;
    let (mut primes, mut largest) = (0, 0);
    for step in 0..STEPS {
        let from = start + step * NUMBERS / STEPS;
        for candidate in from..from + NUMBERS / STEPS {
            if is_prime(candidate) {
                (primes, largest) = (primes + 1, candidate);
            }
        }
        let percent = ((step + 1) * 100 / STEPS) as u8;
        master.send(&Progress { worker: number, percent }).await?;
    }
    master.send(&Found { worker: number, primes, largest }).await?;
    master.send(&Stdout("done".into())).await?;
    master.close().await
}

fn is_prime(number: u64) -> bool {
    number > 1 && (2..).take_while(|d| d * d <= number).all(|d| !number.is_multiple_of(d))
}

#[tokio::main]
async fn main() -> dip::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--worker", number, path] => worker(number.parse().unwrap_or_default(), path).await,
        [workers] => master(workers.parse().unwrap_or(4)).await,
        _ => master(4).await,
    }
}
