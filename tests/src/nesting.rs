//! Calls within calls between two processes: the messages, and the side that each of the two is.

use std::fmt;
use std::future::Future;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dip::{Call, CallError, NoError, Peer, Protocol, Rejection, Router, State, handler};
use rustix::net::sockopt::set_socket_send_buffer_size;
use serde::{Deserialize, Serialize};
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::storm::End;
use crate::valve::{Valve, Valved};

/// Longer than any step takes that ends at all.
const PATIENCE: Duration = Duration::from_secs(30);

/// How much the system takes of a side that is not read, in bytes: less than two messages.
const BUFFER: usize = 16 << 10;

/// Shows its receiver the other side. One-way: a call would be the one that the others serve.
#[derive(Debug, Serialize, Deserialize, Protocol)]
#[mtype("nesting.meet")]
pub struct Meet;

/// Is passed back and forth as often as it says, and comes back through all hands.
#[derive(Debug, Protocol)]
#[mtype("nesting.bounce")]
#[protocol(codec = raw, reply = Bytes, reply_codec = raw, deadline = "60s")]
pub struct Bounce(Bytes);

/// What a [`Bounce`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Leg {
    number: u16,
    /// How often it is passed on from here.
    left: u8,
    outermost: bool,
    len: usize,
}

impl Leg {
    fn read(body: &[u8]) -> Option<Self> {
        let [high, low, left, outermost, ..] = *body else { return None };
        let number = u16::from_be_bytes([high, low]);
        let leg = Self { number, left, outermost: outermost == 1, len: body.len() };
        (leg.body() == body).then_some(leg)
    }

    fn next(self) -> Option<Self> {
        Some(Self { left: self.left.checked_sub(1)?, outermost: false, ..self })
    }

    fn message(self) -> Bounce {
        Bounce(self.body())
    }

    fn body(self) -> Bytes {
        let [high, low] = self.number.to_be_bytes();
        let mut body = vec![low ^ self.left; self.len];
        body[..4].copy_from_slice(&[high, low, self.left, self.outermost.into()]);
        body.into()
    }

    /// Another body than the one that is answered, as long.
    fn reply(self) -> Bytes {
        Self { number: !self.number, ..self }.body()
    }
}

#[handler(group = "nesting")]
async fn bounce(
    Bounce(body): Bounce,
    peer: Peer,
    State(hall): State<Hall>,
) -> Result<Bytes, Rejection> {
    let leg = Leg::read(&body).ok_or_else(|| Rejection::named("ValueError", "the body is torn"))?;
    if leg.outermost {
        hall.pass().await;
    }
    if let Some(next) = leg.next()
        && peer.call(&next.message()).await? != next.reply()
    {
        return Err(Rejection::named(
            "ValueError",
            format!("{next:?} has a reply of another call"),
        ));
    }
    Ok(leg.reply())
}

#[handler(group = "nesting")]
async fn meet(_: Meet, peer: Peer, State(hall): State<Hall>) {
    hall.met.send_replace(Some(peer));
}

/// Where the handlers of the outermost calls wait for each other.
#[derive(Clone, Debug)]
pub struct Hall {
    present: Arc<watch::Sender<usize>>,
    gate: Arc<Semaphore>,
    met: Arc<watch::Sender<Option<Peer>>>,
}

impl Default for Hall {
    fn default() -> Self {
        Self { present: Arc::default(), gate: Arc::new(Semaphore::new(0)), met: Arc::default() }
    }
}

impl Hall {
    async fn pass(&self) {
        self.present.send_modify(|present| *present += 1);
        self.gate.acquire().await.expect("it is never closed").forget();
    }

    /// Who has sent [`Meet`].
    ///
    /// # Panics
    ///
    /// When nobody does.
    pub async fn met(&self) -> Peer {
        let mut met = self.met.subscribe();
        let met = in_time("the other side shows itself", met.wait_for(Option::is_some)).await;
        met.expect("the hall is there").clone().expect("somebody")
    }
}

/// What is called.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Outermost calls at once, as many as there are permits.
    pub calls: u16,
    /// How often each is passed on.
    pub depth: u8,
    /// The length of each body and of each reply.
    pub len: usize,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.calls, self.depth, self.len)
    }
}

impl FromStr for Shape {
    type Err = Box<dyn std::error::Error + Send + Sync>;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let [calls, depth, len] = text.split('/').collect::<Vec<_>>()[..] else {
            return Err("usage: CALLS/DEPTH/LENGTH".into());
        };
        Ok(Self { calls: calls.parse()?, depth: depth.parse()?, len: len.parse()? })
    }
}

/// The stream of a side: small towards the other one, read as far as `valve` allows.
///
/// # Panics
///
/// When the system does not make its buffer small.
pub fn narrow(stream: UnixStream, valve: &Valve) -> Valved<UnixStream> {
    set_socket_send_buffer_size(&stream, BUFFER).expect("the buffer may be small");
    Valved::new(stream, valve.clone())
}

/// The handlers of a side.
pub fn router() -> Router {
    Router::group("nesting")
}

/// One of the two sides. Each step is taken by both before one of them takes the next.
#[derive(Debug)]
pub struct Side {
    end: End,
    valve: Valve,
    hall: Hall,
    shape: Shape,
    calls: JoinSet<(u16, Result<Bytes, CallError<NoError>>)>,
}

impl Side {
    /// A side that calls `end`.
    pub fn new(end: End, valve: Valve, hall: Hall, shape: Shape) -> Self {
        Self { end, valve, hall, shape, calls: JoinSet::new() }
    }

    /// Stops reading.
    pub fn shut(&self) {
        self.valve.shut();
    }

    /// Reads again.
    pub fn open(&self) {
        self.valve.open();
    }

    /// Begins with all outermost calls, and waits until the buffer is full of them.
    pub async fn call(&mut self) {
        for number in 0..self.shape.calls {
            let call = self.bounce(number);
            self.calls.spawn(async move { (number, call.await) });
        }
        in_time("the buffer is full of outermost calls", self.valve.full()).await;
    }

    /// Waits until all outermost calls of the other side have come to their handlers, which takes that
    /// side's permits.
    ///
    /// # Panics
    ///
    /// When this side can have one more call under way than it has permits.
    pub async fn hold(&self) {
        let (calls, mut present) = (usize::from(self.shape.calls), self.hall.present.subscribe());
        let present = present.wait_for(|present| *present == calls);
        _ = in_time("all outermost calls come to their handlers", present).await;
        let beyond = self.bounce(u16::MAX).timeout(Duration::from_millis(30)).await;
        assert!(matches!(beyond, Err(CallError::Deadline { sent: false })), "{beyond:?}");
    }

    /// Lets the handlers call back, and waits until the buffer is full of that.
    pub async fn call_back(&self) {
        self.hall.gate.add_permits(self.shape.calls.into());
        in_time("the buffer is full of inner calls", self.valve.full()).await;
    }

    /// Waits until all calls have their replies.
    ///
    /// # Panics
    ///
    /// When one of them has not, or has another one.
    pub async fn end(&mut self) {
        let (shape, mut right) = (self.shape, 0);
        while right < shape.calls {
            let what = format!("a reply comes, {right} of {shape} have come");
            let ended = in_time(&what, self.calls.join_next()).await;
            let (number, ended) = ended.expect("a call is under way").expect("no call panics");
            let reply = ended.unwrap_or_else(|error| panic!("call {number}: {error}"));
            assert!(
                reply == self.leg(number).reply(),
                "call {number} has the reply of another one"
            );
            right += 1;
        }
    }

    fn bounce(&self, number: u16) -> Call<Bytes> {
        self.end.call(&self.leg(number).message())
    }

    fn leg(&self, number: u16) -> Leg {
        let Shape { depth, len, .. } = self.shape;
        Leg { number, left: depth, outermost: true, len }
    }
}

/// # Panics
///
/// When it takes for ever.
async fn in_time<F: Future>(what: &str, future: F) -> F::Output {
    let ended = timeout(PATIENCE, future).await;
    ended.unwrap_or_else(|_| panic!("deadlock: it never comes to this: {what}"))
}
