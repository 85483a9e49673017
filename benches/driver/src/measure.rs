//! The client's side of a measurement.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::contender::{Contender, Result};
use crate::count::Counts;
use crate::line::{Line, Measurement};
use crate::message::Small;
use crate::program::Talk;
use crate::runtime::Executor;
use crate::stop::Stop;
use crate::usage::Usage;
use crate::workload::Workload;

/// What is to be measured.
pub(crate) struct Job {
    pub(crate) workload: Workload,
    pub(crate) warm_up: Duration,
    pub(crate) window: Duration,
}

/// How long connections are left alone before it counts what they take.
const IDLE: Duration = Duration::from_millis(300);

pub(crate) fn run<C: Contender>(
    executor: &Executor,
    place: &Path,
    job: Job,
    talk: &mut Talk,
) -> Result<()> {
    let _entered = executor.enter();
    let place = place.to_owned();
    let connect = || {
        let place = place.clone();
        executor.one(async move { C::connect(&place).await })
    };
    match job.workload {
        Workload::Latency => {
            let client = connect()?;
            phases(talk, &job, client, |client, stop| executor.one(latency(client, stop)))
        }
        Workload::Pipelined | Workload::Connections => {
            let in_flight = job.workload.in_flight();
            let clients: Result<Vec<C>> =
                (0..job.workload.connections()).map(|_| connect()).collect();
            phases(talk, &job, clients?, |clients, stop| {
                let pump = |client| pump(client, in_flight, stop.clone());
                let done = executor.all(clients.into_iter().map(pump).collect())?;
                let mut sum = Counts::default();
                let sum_up = |(client, counts)| {
                    sum.add(counts);
                    client
                };
                let clients = done.into_iter().map(sum_up).collect();
                Ok((clients, sum))
            })
        }
        Workload::Body64K | Workload::Body1M => {
            let body = Bytes::from(vec![0xa5; job.workload.body().unwrap_or_default()]);
            phases(talk, &job, connect()?, |client, stop| {
                executor.one(echo(client, body.clone(), stop))
            })
        }
        Workload::OneWay => phases(talk, &job, (connect()?, 0), |(client, sent), stop| {
            executor.one(one_way(client, sent, stop))
        }),
        Workload::Connect => phases(talk, &job, (), |(), stop| {
            let place = place.clone();
            executor.one(async move {
                let counts = connects::<C>(&place, stop).await?;
                Ok(((), counts))
            })
        }),
        Workload::Idle => idle(talk, || {
            let place = place.clone();
            executor.one(async move { connect_and_call::<C>(&place).await })
        }),
    }
}

/// Warms up, waits for the word to go on, and measures. `state` is what the phases hand on.
fn phases<S>(
    talk: &mut Talk,
    job: &Job,
    state: S,
    mut phase: impl FnMut(S, Stop) -> Result<(S, Counts)>,
) -> Result<()> {
    let (state, _) = phase(state, Stop::after(job.warm_up))?;
    talk.say(&Line::Ready)?;
    talk.wait()?;
    let before = Usage::now()?;
    let start = Instant::now();
    let (state, counts) = phase(state, Stop::after(job.window))?;
    let seconds = start.elapsed().as_secs_f64();
    let client = Usage::now()? - before;
    let quantiles = counts.quantiles([0.5, 0.99]);
    talk.say(&Line::Done(Measurement {
        calls: counts.calls,
        seconds,
        p50: quantiles.map(|[p50, _]| p50),
        p99: quantiles.map(|[_, p99]| p99),
        client,
    }))?;
    talk.wait()?;
    drop(state);
    Ok(())
}

/// The end of a call is the start of the next: the clock is read once a call.
async fn latency<C: Contender>(mut client: C, stop: Stop) -> Result<(C, Counts)> {
    let mut message = C::Message::new(1);
    let mut counts = Counts::default();
    let mut start = Instant::now();
    while !stop.is_over() {
        message = client.call(message).await?;
        let end = Instant::now();
        counts.timed(end - start);
        start = end;
        if message.id() != 1 {
            return Err("the reply to another call".into());
        }
    }
    Ok((client, counts))
}

async fn pump<C: Contender>(mut client: C, in_flight: usize, stop: Stop) -> Result<(C, Counts)> {
    let counts = client.pump(in_flight, &stop).await?;
    Ok((client, counts))
}

async fn echo<C: Contender>(mut client: C, body: Bytes, stop: Stop) -> Result<(C, Counts)> {
    let mut counts = Counts::default();
    let mut start = Instant::now();
    while !stop.is_over() {
        let length = client.echo(body.clone()).await?;
        let end = Instant::now();
        counts.timed(end - start);
        start = end;
        if length != body.len() {
            return Err("another body came back".into());
        }
    }
    Ok((client, counts))
}

async fn one_way<C: Contender>(
    mut client: C,
    before: u64,
    stop: Stop,
) -> Result<((C, u64), Counts)> {
    let sent = client.notify(&stop).await?;
    while client.handled().await? < before + sent {}
    Ok(((client, before + sent), Counts::of(sent)))
}

async fn connects<C: Contender>(place: &Path, stop: Stop) -> Result<Counts> {
    let mut counts = Counts::default();
    while !stop.is_over() {
        let start = Instant::now();
        let client = connect_and_call::<C>(place).await?;
        counts.timed(start.elapsed());
        drop(client);
    }
    Ok(counts)
}

async fn connect_and_call<C: Contender>(place: &Path) -> Result<C> {
    let mut client = C::connect(place).await?;
    client.call(C::Message::new(1)).await?;
    Ok(client)
}

/// Counts the memory of all connections but the first few, with which the server sets itself up.
fn idle<C>(talk: &mut Talk, connect: impl Fn() -> Result<C>) -> Result<()> {
    let first: Result<Vec<C>> = (0..8).map(|_| connect()).collect();
    let first = first?;
    thread::sleep(IDLE);
    talk.say(&Line::Ready)?;
    talk.wait()?;
    let before = Usage::now()?;
    let start = Instant::now();
    let clients: Result<Vec<C>> = (0..Workload::Idle.connections()).map(|_| connect()).collect();
    let clients = clients?;
    let seconds = start.elapsed().as_secs_f64();
    thread::sleep(IDLE);
    talk.say(&Line::Done(Measurement {
        calls: clients.len() as u64,
        seconds,
        p50: None,
        p99: None,
        client: Usage::now()? - before,
    }))?;
    talk.wait()?;
    drop((first, clients));
    Ok(())
}
