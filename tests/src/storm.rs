//! The messages of the storm test, and those who send them: master and workers do the same.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dip::{Acknowledged, Call, CallError, Client, Peer, Protocol, Reason, Rejection, Router};
use dip::{State, handler};
use serde::{Deserialize, Serialize};

use crate::death::Death;

/// How long a call may take, unless it is meant to be late.
const TIME: Duration = Duration::from_secs(2);

/// How long a call may take that is meant to be late.
const SHORT: Duration = Duration::from_millis(20);

/// After its time a call must end within this.
const GRACE: Duration = Duration::from_secs(1);

/// Comes back as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Protocol)]
#[mtype("storm.echo")]
#[protocol(reply = Echo)]
pub struct Echo {
    number: u64,
    filling: String,
}

/// Fails with the error that it declares.
#[derive(Debug, Serialize, Deserialize, Protocol)]
#[mtype("storm.fail")]
#[protocol(error = Failed)]
pub struct Fail {
    number: u64,
}

/// The error of [`Fail`].
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    number: u64,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} fails", self.number)
    }
}

impl std::error::Error for Failed {}

/// Is refused.
#[derive(Debug, Serialize, Deserialize, Protocol)]
#[mtype("storm.refuse")]
pub struct Refuse {
    number: u64,
}

/// Is never answered in time.
#[derive(Debug, Serialize, Deserialize, Protocol)]
#[mtype("storm.sleep")]
pub struct Sleep;

/// Is passed back and forth until `left` is 0.
#[derive(Debug, Serialize, Deserialize, Protocol)]
#[mtype("storm.bounce")]
#[protocol(reply = u64)]
pub struct Bounce {
    number: u64,
    left: u8,
}

#[handler(group = "storm")]
async fn echo(echo: Echo) -> Echo {
    echo
}

#[handler(group = "storm")]
async fn fail(Fail { number }: Fail) -> Result<(), Failed> {
    Err(Failed { number })
}

#[handler(group = "storm")]
async fn refuse(Refuse { number }: Refuse) -> Result<(), Rejection> {
    Err(Rejection::named("ValueError", number.to_string()))
}

#[handler(group = "storm")]
async fn sleep(_: Sleep, State(tally): State<Tally>) {
    let _running = tally.sleeper();
    std::future::pending::<()>().await;
}

#[handler(group = "storm")]
async fn bounce(Bounce { number, left }: Bounce, peer: Peer) -> Result<u64, Rejection> {
    match left.checked_sub(1) {
        None => Ok(number),
        Some(left) => Ok(peer.call(&Bounce { number, left }).await?),
    }
}

/// The handlers of all these messages.
pub fn router() -> Router {
    Router::group("storm")
}

/// Whom to call.
#[derive(Clone, Debug)]
pub enum End {
    /// A worker calls its master.
    Client(Client),
    /// The master calls a worker.
    Peer(Peer),
}

impl End {
    /// Calls it.
    pub fn call<M: Protocol>(&self, message: &M) -> Call<M::Reply, M::Error> {
        match self {
            Self::Client(client) => client.call(message),
            Self::Peer(peer) => peer.call(message),
        }
    }

    fn notify<M: Acknowledged>(&self, message: &M) -> Call {
        match self {
            Self::Client(client) => client.notify(message),
            Self::Peer(peer) => peer.notify(message),
        }
    }
}

/// How the calls of a process ended.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<Mutex<Seen>>);

/// What a [`Tally`] has seen.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Seen {
    /// How many calls ended in which way.
    pub outcomes: BTreeMap<String, u64>,
    /// Calls that ended otherwise than they may.
    pub faults: Vec<String>,
    /// Handlers of [`Sleep`] that were not stopped yet.
    pub sleepers: u64,
}

impl Tally {
    /// What has been seen so far.
    pub fn seen(&self) -> Seen {
        self.lock().clone()
    }

    /// Takes out what was wrong so far.
    pub fn take_faults(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().faults)
    }

    /// Something is wrong.
    pub fn fault(&self, fault: String) {
        self.lock().faults.push(fault);
    }

    fn count(&self, outcome: &str) {
        *self.lock().outcomes.entry(outcome.to_owned()).or_default() += 1;
    }

    fn sleeper(&self) -> Sleeper {
        self.lock().sleepers += 1;
        Sleeper(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the master prints.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// Its own calls, and what was wrong anywhere.
    pub seen: Seen,
    /// How long it took to learn of each death.
    pub deaths: Vec<Death>,
    /// After the first quarter, without workers.
    pub before: Usage,
    /// At the end, without workers.
    pub after: Usage,
}

/// What a process holds.
#[derive(Debug, Serialize, Deserialize)]
pub struct Usage {
    /// Bytes in RAM, where the system tells.
    pub resident: Option<u64>,
    /// Open descriptors, where the system tells.
    pub descriptors: Option<usize>,
}

impl Usage {
    /// That of this process.
    pub fn now() -> Self {
        let resident = crate::process::resident(std::process::id());
        let descriptors = std::fs::read_dir("/proc/self/fd").ok().map(Iterator::count);
        Self { resident, descriptors }
    }
}

struct Sleeper(Tally);

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.0.lock().sleepers -= 1;
    }
}

/// The connection is gone.
struct Gone;

/// Calls the other end in every way until the connection is gone. `seed` tells callers apart.
pub async fn call_until_gone(end: End, seed: u64, tally: Tally) {
    let caller = Caller { end, tally };
    for number in (seed << 32).. {
        if caller.call(number).await.is_err() {
            return;
        }
    }
}

struct Caller {
    end: End,
    tally: Tally,
}

impl Caller {
    async fn call(&self, number: u64) -> Result<(), Gone> {
        let Self { end, .. } = self;
        match number % 8 {
            0 => self.ended(number, end.notify(&Refuse { number }), |ended| ended.is_ok()).await,
            1 => {
                let ended = end.call(&Fail { number });
                let right = |error: Option<Failed>| error == Some(Failed { number });
                self.ended(number, ended, |ended| right(ended.err().and_then(CallError::into_app)))
                    .await
            }
            2 => {
                let refused = format!("ValueError('{number}')");
                let right =
                    |ended| matches!(ended, Err(CallError::Rejected(r)) if r.text == refused);
                self.ended(number, end.call(&Refuse { number }), right).await
            }
            3 => {
                let late = end.call(&Sleep).timeout(SHORT);
                let right =
                    |ended: Result<(), CallError<_>>| ended.is_err_and(|error| error.is_deadline());
                self.ended(number, late, right).await
            }
            4 => {
                let dropped = tokio::time::timeout(SHORT / 4, end.call(&Sleep)).await;
                self.tally.count("dropped");
                if dropped.is_ok_and(|ended| is_gone(&ended)) { Err(Gone) } else { Ok(()) }
            }
            5 => {
                let bounce = end.call(&Bounce { number, left: (number / 8 % 5) as u8 });
                self.ended(number, bounce, |ended| ended.is_ok_and(|back| back == number)).await
            }
            // Some are longer than a frame may be.
            kind => {
                let long = if kind == 6 && number.is_multiple_of(5) { 300 << 10 } else { 100 };
                let echo = Echo { number, filling: "é".repeat(long / 2) };
                let call = end.call(&echo);
                self.ended(number, call, |ended| ended.is_ok_and(|back| back == echo)).await
            }
        }
    }

    /// Waits for the end of a call, and counts it.
    async fn ended<T: fmt::Debug, E: fmt::Debug>(
        &self,
        number: u64,
        call: impl Future<Output = Result<T, CallError<E>>>,
        is_right: impl FnOnce(Result<T, CallError<E>>) -> bool,
    ) -> Result<(), Gone> {
        let begun = Instant::now();
        let Ok(ended) = tokio::time::timeout(TIME + GRACE, call).await else {
            self.tally.fault(format!("call {number} hangs"));
            return Ok(());
        };
        let took = begun.elapsed();
        let (outcome, gone) = (outcome(&ended), is_gone(&ended));
        let text = format!("call {number} took {took:?}: {ended:.100?}");
        self.tally.count(outcome);
        if !gone && !is_right(ended) {
            // A machine may have too much to do.
            if outcome == "deadline" {
                self.tally.count("slow");
            } else {
                self.tally.fault(text);
            }
        } else if number % 8 == 3 && took > SHORT + GRACE {
            self.tally.fault(text);
        }
        if gone { Err(Gone) } else { Ok(()) }
    }
}

/// Its kind, in the words of [`CallError`].
fn outcome<T, E>(ended: &Result<T, CallError<E>>) -> &'static str {
    match ended {
        Ok(_) => "reply",
        Err(CallError::App(_)) => "app",
        Err(error) if error.is_deadline() => "deadline",
        Err(CallError::Rejected(_)) => "rejected",
        Err(CallError::NotSent(_)) => "not sent",
        Err(CallError::ConnectionLost) => "connection lost",
        Err(_) => "unknown",
    }
}

fn is_gone<T, E>(ended: &Result<T, CallError<E>>) -> bool {
    matches!(
        ended,
        Err(CallError::ConnectionLost
            | CallError::NotSent(
                Reason::Disconnected | Reason::Gone | Reason::ShuttingDown | Reason::Connect(_)
            ))
    )
}
