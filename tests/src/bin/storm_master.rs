//! `storm_master PATH WORKER SECONDS`: eight processes of the program WORKER and this one call each
//! other, while one worker after the other is killed and another is started; two live as long as the
//! master has not ended its round. Prints a report.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use dip::{Peer, Server};
use dip_tests::death::Death;
use dip_tests::storm::{End, Report, Tally, Usage, call_until_gone, router};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::timeout;

const WORKERS: usize = 8;

/// So many of them are killed last: the others do not get old enough for a call to be late.
const VETERANS: usize = 2;

/// Calls at once to each worker.
const CALLERS: u64 = 4;

/// Whatever takes longer never comes.
const PATIENCE: Duration = Duration::from_secs(30);

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, worker, seconds] = &arguments[..] else {
        return Err("usage: storm_master PATH WORKER SECONDS".into());
    };
    let time = Duration::from_secs_f64(seconds.parse()?);
    let (tally, calling, (tell, events)) =
        (Tally::default(), Calling::default(), unbounded_channel());
    let (came, left) = (tell.clone(), tell.clone());
    let caller = (tally.clone(), calling.clone());
    let bound = Server::builder(path.as_str())
        .router(router())
        .state(tally.clone())
        .on_connect(move |peer| {
            _ = came.send(Event::Came(pid(&peer)));
            caller.1.start(&peer, &caller.0);
        })
        .on_disconnect(move |peer, _| _ = left.send(Event::Left(pid(&peer), Instant::now())))
        .bind()
        .await?;
    let server = bound.server();
    tokio::spawn(bound.run());

    let mut crew = Crew::new(path, worker, tally.clone(), (tell, events));
    crew.storm(time / 4).await?;
    let before = usage(&server, &calling, &tally).await?;
    crew.storm(time * 3 / 4).await?;
    let after = usage(&server, &calling, &tally).await?;
    let report = Report { seen: tally.seen(), deaths: crew.deaths, before, after };
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

fn pid(peer: &Peer) -> u32 {
    peer.pid().map_or(0, Into::into)
}

/// How many tasks call workers.
#[derive(Clone, Default)]
struct Calling(Arc<AtomicU64>);

impl Calling {
    fn start(&self, peer: &Peer, tally: &Tally) {
        for caller in 0..CALLERS {
            let calling = Self(self.0.clone());
            calling.0.fetch_add(1, Relaxed);
            let calls = call_until_gone(End::Peer(peer.clone()), caller, tally.clone());
            tokio::spawn(async move {
                calls.await;
                calling.0.fetch_sub(1, Relaxed);
            });
        }
    }
}

/// What this process holds once nobody is connected any more.
async fn usage(server: &Server, calling: &Calling, tally: &Tally) -> Result<Usage, Error> {
    let begun = Instant::now();
    loop {
        let (peers, calls) = (server.peers().len(), calling.0.load(Relaxed));
        let sleepers = tally.seen().sleepers;
        if peers == 0 && calls == 0 && sleepers == 0 {
            break;
        }
        if begun.elapsed() > PATIENCE {
            return Err(format!("{peers} peers, {calls} calls and {sleepers} handlers stay").into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(Usage::now())
}

enum Event {
    Came(u32),
    Left(u32, Instant),
    /// Its output has ended.
    Silent(u32, Instant),
}

type Channel = (UnboundedSender<Event>, UnboundedReceiver<Event>);

/// The workers.
struct Crew {
    path: String,
    program: String,
    tally: Tally,
    tell: UnboundedSender<Event>,
    events: UnboundedReceiver<Event>,
    /// Those that have not connected yet.
    starting: BTreeMap<u32, Worker>,
    running: BTreeMap<u32, Worker>,
    /// To what they print.
    listening: JoinSet<()>,
    started: u64,
    /// How long it took to learn of each death.
    deaths: Vec<Death>,
}

struct Worker {
    number: u64,
    child: Child,
}

impl Crew {
    fn new(path: &str, program: &str, tally: Tally, channel: Channel) -> Self {
        let (tell, events) = channel;
        Self {
            tell,
            path: path.to_owned(),
            program: program.to_owned(),
            tally,
            events,
            starting: BTreeMap::new(),
            running: BTreeMap::new(),
            listening: JoinSet::new(),
            started: 0,
            deaths: Vec::new(),
        }
    }

    /// Lets workers run for that long, and kills them.
    async fn storm(&mut self, time: Duration) -> Result<(), Error> {
        let end = Instant::now() + time;
        for _ in 0..WORKERS {
            self.start()?;
        }
        while Instant::now() < end {
            // From 20 to 147 ms.
            tokio::time::sleep(Duration::from_millis(20 + self.started * 37 % 128)).await;
            self.kill_one(VETERANS).await?;
            self.start()?;
        }
        while !(self.running.is_empty() && self.starting.is_empty()) {
            self.kill_one(0).await?;
        }
        while self.listening.join_next().await.is_some() {}
        Ok(())
    }

    fn start(&mut self) -> Result<(), Error> {
        self.started += 1;
        let mut child = Command::new(&self.program)
            .args([&self.path, &self.started.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id().ok_or("it has ended already")?;
        if let Some(output) = child.stdout.take() {
            let (mut lines, tally) = (BufReader::new(output).lines(), self.tally.clone());
            let tell = self.tell.clone();
            self.listening.spawn(async move {
                while let Ok(Some(line)) = lines.next_line().await {
                    tally.fault(format!("a worker says: {line}"));
                }
                _ = tell.send(Event::Silent(pid, Instant::now()));
            });
        }
        self.starting.insert(pid, Worker { number: self.started, child });
        Ok(())
    }

    /// Kills one of those that run, but not of the `spared` oldest, and waits until the server knows.
    async fn kill_one(&mut self, spared: usize) -> Result<(), Error> {
        while self.running.len() <= spared {
            self.event().await?;
        }
        let mut ages: Vec<_> = self.running.iter().map(|(pid, one)| (one.number, *pid)).collect();
        ages.sort_unstable();
        let one = spared + (self.started * 5) as usize % (ages.len() - spared);
        let (_, pid) = ages[one];
        let Worker { mut child, .. } = self.running.remove(&pid).ok_or("there is one")?;
        child.start_kill()?;
        let killed = Instant::now();
        let (mut known, mut bare) = (None, None);
        while known.is_none() || bare.is_none() {
            match self.event().await? {
                Event::Left(gone, at) if gone == pid => known = Some(at),
                Event::Silent(gone, at) if gone == pid => bare = Some(at),
                _ => {}
            }
        }
        self.deaths.extend(known.zip(bare).map(|(known, bare)| Death::since(killed, known, bare)));
        child.wait().await?;
        Ok(())
    }

    /// Waits for what happens next, and takes note of it.
    async fn event(&mut self) -> Result<Event, Error> {
        let event = timeout(PATIENCE, self.events.recv()).await?.ok_or("the server has ended")?;
        match event {
            Event::Came(pid) => {
                let worker = self.starting.remove(&pid).ok_or("a stranger")?;
                self.running.insert(pid, worker);
            }
            Event::Left(pid, _) => {
                if self.running.contains_key(&pid) {
                    self.tally.fault(format!("worker {pid} left though nobody killed it"));
                    self.running.remove(&pid);
                }
            }
            Event::Silent(..) => {}
        }
        Ok(event)
    }
}
