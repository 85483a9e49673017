//! What a contender brings: a server, and one connection to it.

use std::path::Path;
use std::time::Instant;

use bytes::Bytes;
use tokio::task::JoinSet;

use crate::count::{Counts, SAMPLED};
use crate::message::Small;
use crate::program::Ready;
use crate::stop::Stop;
use crate::workload::Workload;

/// Whatever went wrong; it ends the measurement.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Of everything here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One connection to a server of the contender, and how to be that server.
///
/// The futures of a blocking contender ([`Runtime::Blocking`](crate::Runtime::Blocking)) block, and
/// are ready when they are first polled. Nothing is boxed: a workload is compiled for each contender.
pub trait Contender: Sized + Send + 'static {
    /// The small message, in whichever type this contender carries best.
    type Message: Small;

    /// The workloads that it can run.
    const WORKLOADS: &[Workload] = Workload::ALL;

    /// Serves at `place`, a path for a Unix socket or for a name made of it; calls
    /// [`Ready::listening`] when clients may connect.
    fn serve(place: &Path, ready: Ready) -> impl Future<Output = Result<()>> + Send;

    /// Connects to the server.
    fn connect(place: &Path) -> impl Future<Output = Result<Self>> + Send;

    /// One call: the server reads the message and sends it back. What comes back is what the server
    /// has sent, or the message itself where nothing but an acknowledgement comes.
    fn call(
        &mut self,
        message: Self::Message,
    ) -> impl Future<Output = Result<Self::Message>> + Send;

    /// Calls until `stop`, `in_flight` at once. Where a connection has handles that can be cloned,
    /// this is [`by_tasks`].
    fn pump(
        &mut self,
        in_flight: usize,
        stop: &Stop,
    ) -> impl Future<Output = Result<Counts>> + Send {
        let _ = (in_flight, stop);
        unsupported()
    }

    /// One call with a body of bytes, which the server sends back; the length of what came.
    fn echo(&mut self, body: Bytes) -> impl Future<Output = Result<usize>> + Send {
        let _ = body;
        unsupported()
    }

    /// Sends one-way messages until `stop`; how many. Their handler adds them to
    /// [`HANDLED`](crate::HANDLED).
    fn notify(&mut self, stop: &Stop) -> impl Future<Output = Result<u64>> + Send {
        let _ = stop;
        unsupported()
    }

    /// Asks the server how many one-way messages it has handled, by a call of its own.
    fn handled(&mut self) -> impl Future<Output = Result<u64>> + Send {
        unsupported()
    }
}

/// What a contender's method does that belongs to none of its [`WORKLOADS`](Contender::WORKLOADS).
pub async fn unsupported<T>() -> Result<T> {
    Err("this contender cannot do that".into())
}

/// [`Contender::pump`] with a task for each call in flight, as the callers in a program would be.
pub async fn by_tasks<C: Contender + Clone>(
    client: &C,
    in_flight: usize,
    stop: &Stop,
) -> Result<Counts> {
    let mut tasks = JoinSet::new();
    for id in 0..in_flight {
        tasks.spawn(caller(client.clone(), id as u64, stop.clone()));
    }
    let mut sum = Counts::default();
    while let Some(counts) = tasks.join_next().await {
        sum.add(counts??);
    }
    Ok(sum)
}

/// The time of one call in [`SAMPLED`] is taken: looking at the clock costs as much as a tenth of the
/// fastest calls.
async fn caller<C: Contender>(mut client: C, id: u64, stop: Stop) -> Result<Counts> {
    let mut message = C::Message::new(id);
    let mut counts = Counts::default();
    while !stop.is_over() {
        let start = Instant::now();
        message = client.call(message).await?;
        counts.timed(start.elapsed());
        for _ in 1..SAMPLED {
            if stop.is_over() {
                break;
            }
            message = client.call(message).await?;
            counts.calls += 1;
        }
        if message.id() != id {
            return Err("the reply to another call".into());
        }
    }
    Ok(counts)
}
