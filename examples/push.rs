//! A master pushes jobs to worker processes: it calls them over the connections that they have opened.
//! They report progress, ask back for what they need, and one of them is killed in the middle of its job.
//!
//! ```text
//! cargo run --example push
//! ```

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dip::{
    CallError, Client, Context, Peer, Protocol, Rejection, Router, Server, Slow, State, Uuid,
    handler,
};
use serde::{Deserialize, Serialize};
use tokio::process::{Child, Command};
use tokio::sync::Notify;
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinSet;

const WORKERS: u128 = 3;
const JOBS: u32 = 7;
/// The worker that does not live to see the end of its first job.
const DOOMED: Uuid = Uuid::from_u128(2);

// The messages. From the master to its workers:

/// Count the primes among the numbers of a job.
#[derive(Clone, Serialize, Deserialize, Protocol)]
#[mtype("push.job")]
#[protocol(reply = Found, deadline = "20s")]
struct Job {
    number: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Found {
    primes: usize,
}

/// There is nothing more to do.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype("push.dismiss")]
struct Dismiss;

// From a worker to its master:

/// How far a job is, one-way.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype("push.progress")]
struct Progress {
    job: u32,
    percent: u8,
}

/// Which numbers belong to a job: asked while the master waits for the job.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype("push.numbers")]
#[protocol(reply = (u32, u32))]
struct NumbersOf {
    job: u32,
}

// A worker: a client with handlers of its own.

/// The worker reports and asks back through the `Peer` of the call that it serves.
#[handler(group = "worker", spawn)]
async fn job(Job { number }: Job, master: Peer) -> Result<Found, Rejection> {
    let (from, to) = master.call(&NumbersOf { job: number }).await?;
    let mut primes = 0;
    for (part, percent) in [(from..(from + to) / 2, 50), ((from + to) / 2..to, 100)] {
        primes += part.filter(|number| is_prime(*number)).count();
        master.notify(&Progress { job: number, percent }).await?;
    }
    Ok(Found { primes })
}

#[handler(group = "worker")]
async fn dismiss(_: Dismiss, State(dismissed): State<Arc<Notify>>) {
    dismissed.notify_one();
}

fn is_prime(number: u32) -> bool {
    number > 1 && (2..).take_while(|d| d * d <= number).all(|d| !number.is_multiple_of(d))
}

async fn worker(id: Uuid, path: &str) -> dip::Result<()> {
    let dismissed = Arc::new(Notify::new());
    let master = Client::builder(path)
        .id(Some(id))
        .router(Router::group("worker"))
        .state(dismissed.clone())
        .connect()
        .await?;
    dismissed.notified().await;
    master.close().await
}

// The master.

/// What the handlers of the master share.
#[derive(Clone, Default)]
struct Master {
    processes: Arc<Mutex<HashMap<Uuid, Child>>>,
    reports: Arc<Mutex<BTreeMap<u32, Vec<u8>>>>,
}

#[handler(ordered = "connection")]
async fn progress(Progress { job, percent }: Progress, State(master): State<Master>) {
    locked(&master.reports).entry(job).or_default().push(percent);
}

#[handler]
async fn numbers_of(
    NumbersOf { job }: NumbersOf,
    worker: Peer,
    context: Context,
    State(master): State<Master>,
) -> Result<(u32, u32), Rejection> {
    if worker.client_id() == Some(DOOMED) {
        println!("worker 2 has job {job} and is killed");
        if let Some(process) = locked(&master.processes).get_mut(&DOOMED) {
            process.start_kill()?;
        }
        // This handler is stopped: nobody waits for its reply any more.
        context.cancelled().await;
    }
    Ok((job * 10_000, (job + 1) * 10_000))
}

async fn master() -> dip::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("master.sock");
    let master = Master::default();
    let (gone, mut departures) = unbounded_channel();
    let bound = Server::builder(&path)
        .state(master.clone())
        // Hooks are told and go on: what takes time is done elsewhere.
        .on_client_gone(move |client| _ = gone.send(client.id))
        .bind()
        .await?;
    let server = bound.server();
    let serving = tokio::spawn(bound.run());

    for number in 1..=WORKERS {
        let mut worker = Command::new(std::env::current_exe()?);
        worker.arg("--worker").arg(number.to_string()).arg(&path).stdin(Stdio::null());
        let process = worker.kill_on_drop(true).spawn()?;
        locked(&master.processes).insert(Uuid::from_u128(number), process);
    }
    let mut idle: Vec<Peer> = server.wait_for_peers(WORKERS as usize).await?;
    // Who is there? The id is what each of them claims: here its number.
    idle.sort_by_key(Peer::client_id);
    println!("{} workers are connected", idle.len());
    idle.reverse();

    let mut waiting: VecDeque<Job> = (1..=JOBS).map(|number| Job { number }).collect();
    let mut running = JoinSet::new();
    let mut results = BTreeMap::new();
    loop {
        while let Some(worker) = idle.pop() {
            let Some(job) = waiting.pop_front() else { break };
            running.spawn(async move {
                let reply = worker.call(&job).await;
                (worker, job, reply)
            });
        }
        let Some(ended) = running.join_next().await else { break };
        let (worker, job, reply) = ended.map_err(std::io::Error::other)?;
        match reply {
            Ok(found) => {
                results.insert(job.number, found.primes);
                idle.push(worker);
            }
            // It may have run: whether it may run again is for the application to know.
            Err(CallError::ConnectionLost) => {
                assert_eq!(worker.client_id(), Some(DOOMED));
                assert_eq!(departures.recv().await, Some(DOOMED));
                assert!(server.peer(worker.id()).is_none());
                println!("worker 2 is gone: job {} goes to another one", job.number);
                waiting.push_back(job);
            }
            Err(error) => return Err(error.into()),
        }
    }

    let dismissed = server.broadcast(&Dismiss, Slow::Wait(Duration::from_secs(1))).await?;
    assert_eq!((dismissed.queued, dismissed.skipped), (2, 0));
    let processes = std::mem::take(&mut *locked(&master.processes));
    for (id, mut process) in processes {
        assert_eq!(process.wait().await?.success(), id != DOOMED);
    }
    server.shutdown();
    serving.await.map_err(std::io::Error::other)??;

    for (job, primes) in &results {
        println!("job {job}: {primes} primes, reports {:?}", locked(&master.reports)[job]);
    }
    assert_eq!(results.len(), JOBS as usize);
    assert_eq!(results.values().sum::<usize>(), 6608);
    Ok(())
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[tokio::main]
async fn main() -> dip::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--worker", number, path] => {
            let number = number.parse().map_err(std::io::Error::other)?;
            worker(Uuid::from_u128(number), path).await
        }
        _ => master().await,
    }
}
