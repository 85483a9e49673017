//! A message on its way to a peer, and what comes back.

mod message;
mod offer;
mod underway;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;

pub(crate) use message::{Message, Way};
pub(crate) use offer::offer;
use underway::{About, LOST, Underway, begin_on, first, give_up, poll_outcome};
pub(crate) use underway::{Called, ended};

use crate::codec::{Codec, DecodeLimits, OwnedBody};
use crate::error::{CallError, Reason, Remote};
use crate::link::{Begun, Link};
use crate::process::Process;
use crate::protocol::{NoError, Protocol};
use crate::reply::{Code, Handled};
use crate::session::native::Outcome;

/// A message on its way: what the methods of [`Client`](crate::Client) and [`Peer`](crate::Peer) that
/// send one return. `T` is the reply, `E` the error that the message declares.
///
/// Nothing is sent before the first poll. The time runs from then on, or from when the connection
/// takes the message up, right behind that.
///
/// # Cancel safety
///
/// A future that is dropped gives the message up. On the native wire the peer is told, and stops the
/// handler; on the classic one the connection is closed. Either way the message may have been
/// handled, and its reply is never taken for another one. A one-way message that has begun to leave
/// leaves whole.
#[must_use = "nothing is sent until the future is awaited"]
pub struct Call<T = (), E = NoError> {
    /// The handle is kept: a client closes when nobody has it any more.
    route: Arc<dyn Route>,
    state: State,
    reply: fn(&mut OwnedBody) -> Result<T, CallError<E>>,
    failure: fn(Remote, &[u8]) -> CallError<E>,
}

enum State {
    Begun(Message),
    /// It waits on the first connection of the route.
    First(Underway),
    Later {
        ended: Later,
        process: Process,
    },
    /// In a box: few are anything else, and what is small is quickly replaced.
    Rare(Box<Rare>),
    Over,
}

enum Rare {
    Refused(Reason),
    /// It ended on the first connection as it began.
    Ended(Outcome, About),
    Other(Called),
}

/// A message on its way to a peer that has to be reached first.
pub(crate) type Later = Pin<Box<dyn Future<Output = Result<OwnedBody, Unanswered>> + Send>>;

/// Where the messages of a handle go.
pub(crate) trait Route: Send + Sync {
    /// A connection that is kept as long as the route, also when it has ended.
    fn first(&self) -> Option<&Link>;

    /// The first connection, if messages of this process may begin there, as far as is known here.
    fn open(&self) -> Option<&Link>;

    /// The way there, as far as it is known without waiting, for this process.
    fn ready(&self) -> Ready<'_>;

    /// How long a message may take that says nothing of it.
    fn timeout(&self) -> Duration;

    /// Sends a message where [`ready`](Self::ready) was [`Later`](Ready::Later).
    fn later(self: Arc<Self>, message: Message) -> Later;
}

pub(crate) enum Ready<'a> {
    First(&'a Link),
    Other(Arc<Link>),
    Refused(Reason),
    /// Known to this process.
    Later(Process),
}

/// Why there is no reply, before the error that the message declares is read.
pub(crate) enum Unanswered {
    Here(CallError<NoError>),
    There(Remote, Bytes),
}

impl<T, E> Call<T, E> {
    /// Gives this message its own time, from the first poll to the reply; afterwards it has no
    /// effect. A call made on behalf of a handler never gets more than its handler has left.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use dip::builtin::Stdout;
    ///
    /// # async fn example(client: dip::Client) -> dip::Result<()> {
    /// client.send(&Stdout("now or never".into())).timeout(Duration::from_millis(100)).await?;
    /// # Ok(()) }
    /// ```
    pub fn timeout(mut self, time: Duration) -> Self {
        if let State::Begun(message) = &mut self.state {
            message.timeout = Some(time);
        }
        self
    }
}

impl<T: Send + 'static, E: std::error::Error + serde::de::DeserializeOwned> Call<T, E> {
    /// A call that `M` replies to.
    pub(crate) fn new<M: Protocol<Reply = T, Error = E>>(
        route: Arc<dyn Route>,
        message: Result<Message, Reason>,
    ) -> Self {
        let state = State::of(message);
        Self { route, state, reply: reply_of::<M>, failure: CallError::from_native }
    }
}

impl Call {
    /// A message without a reply of its own.
    pub(crate) fn acknowledged(route: Arc<dyn Route>, message: Result<Message, Reason>) -> Self {
        let failure = |remote, _: &[u8]| CallError::Rejected(remote);
        Self { route, state: State::of(message), reply: |_| Ok(()), failure }
    }
}

impl Call<Bytes> {
    /// A message whose reply stays as it comes.
    pub(crate) fn raw(route: Arc<dyn Route>, message: Result<Message, Reason>) -> Self {
        Self {
            route,
            state: State::of(message),
            reply: |body| Ok(std::mem::take(body).into_bytes()),
            failure: |remote, _| CallError::Rejected(remote),
        }
    }
}

impl State {
    fn of(message: Result<Message, Reason>) -> Self {
        message.map_or_else(|reason| Rare::Refused(reason).into(), Self::Begun)
    }
}

impl From<Rare> for State {
    fn from(rare: Rare) -> Self {
        Self::Rare(Box::new(rare))
    }
}

/// Reads the reply to a message of this type.
pub(crate) fn reply_of<M: Protocol>(body: &mut OwnedBody) -> Result<M::Reply, CallError<M::Error>> {
    let limits = DecodeLimits::for_body(body.len());
    M::ReplyCodec::decode(body.body(), &limits).map_err(|error| {
        let text = format!("the reply cannot be read: {}", error.text());
        CallError::Rejected(Remote::from_native(Code::Decode, Handled::Yes, text))
    })
}

impl<T, E> Future for Call<T, E> {
    type Output = Result<T, CallError<E>>;

    /// # Panics
    ///
    /// When it has ended before, and, where there is no native connection, outside of a tokio
    /// runtime.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let State::Begun(message) = &this.state {
            // As most begin.
            if let Some(underway) = call_at_once(&*this.route, message, cx.waker()) {
                this.state = State::First(underway);
                return Poll::Pending;
            }
            match begin(&*this.route, message, cx.waker()) {
                Ok(Start::Sent) => {
                    this.state = State::Over;
                    return Poll::Ready((this.reply)(&mut OwnedBody::default()));
                }
                Ok(Start::Waits(underway)) => {
                    this.state = State::First(underway);
                    return Poll::Pending;
                }
                Ok(Start::Ended(outcome, about)) => {
                    this.state = Rare::Ended(outcome, about).into();
                }
                Ok(Start::Other(called)) => this.state = Rare::Other(called).into(),
                Ok(Start::Later(process)) => this.state = this.later(process),
                Err(reason) => this.state = Rare::Refused(reason).into(),
            }
        }
        let ended = match &mut this.state {
            &mut State::First(Underway { ticket, about }) => {
                let link = first(&*this.route);
                match ready!(poll_outcome(link, ticket, cx)) {
                    // Most end so; there is nothing in the state that is to be dropped.
                    Outcome::Reply(mut body) => {
                        std::mem::forget(std::mem::replace(&mut this.state, State::Over));
                        return Poll::Ready((this.reply)(&mut body));
                    }
                    outcome => about.ended(outcome, link),
                }
            }
            // The reply belongs to the process that sent the message.
            State::Later { process, .. } if process.is_forked() => {
                Err(Unanswered::Here(CallError::ConnectionLost))
            }
            State::Later { ended, .. } => ready!(ended.as_mut().poll(cx)),
            State::Rare(rare) => ready!(rare.poll(&*this.route, cx)),
            State::Begun(_) | State::Over => panic!("a `Call` was polled after it had ended"),
        };
        this.state = State::Over;
        Poll::Ready(match ended {
            Ok(mut body) => (this.reply)(&mut body),
            Err(Unanswered::Here(error)) => Err(error.widen()),
            Err(Unanswered::There(remote, detail)) => Err((this.failure)(remote, &detail)),
        })
    }
}

impl Rare {
    /// Polled until it is ready.
    fn poll(
        &mut self,
        route: &dyn Route,
        cx: &mut Context<'_>,
    ) -> Poll<Result<OwnedBody, Unanswered>> {
        Poll::Ready(match self {
            Self::Refused(reason) => {
                let reason = std::mem::replace(reason, Reason::Closed);
                Err(Unanswered::Here(CallError::NotSent(reason)))
            }
            Self::Ended(outcome, about) => {
                about.ended(std::mem::replace(outcome, LOST), first(route))
            }
            Self::Other(called) => ready!(Pin::new(called).poll(cx)),
        })
    }
}

/// Gives the message up.
impl<T, E> Drop for Call<T, E> {
    fn drop(&mut self) {
        if let State::First(Underway { ticket, .. }) = self.state {
            give_up(first(&*self.route), ticket);
        }
    }
}

/// How far a message has come with the first poll.
enum Start {
    /// Of a one-way message: all the way.
    Sent,
    Waits(Underway),
    Ended(Outcome, About),
    Other(Called),
    Later(Process),
}

/// Puts the message on its way, if there is one without waiting.
fn begin(route: &dyn Route, message: &Message, waker: &Waker) -> Result<Start, Reason> {
    let timeout = || message.timeout.unwrap_or_else(|| route.timeout());
    match route.ready() {
        Ready::First(link) => {
            let timeout = timeout();
            if message.way == Way::Notify && notify_at_once(link, message, timeout) {
                return Ok(Start::Sent);
            }
            let (begun, about) = begin_on(link, message, timeout, Some(waker))?;
            Ok(match begun {
                Begun::Waiting(ticket) => Start::Waits(Underway { ticket, about }),
                Begun::Over(outcome) => Start::Ended(outcome, about),
            })
        }
        Ready::Other(link) => Called::begin(link, message, timeout()).map(Start::Other),
        Ready::Refused(reason) => Err(reason),
        Ready::Later(process) => Ok(Start::Later(process)),
    }
}

/// Sends a call that need not wait and is not made on behalf of a handler, as most; otherwise nothing
/// has happened. It does not look at the clock.
fn call_at_once(route: &dyn Route, message: &Message, waker: &Waker) -> Option<Underway> {
    let &Message { mtype, name, way, ref body, ref scope, timeout, .. } = message;
    let link = route.open().filter(|_| way == Way::Call && scope.is_none())?;
    let timeout = timeout.unwrap_or_else(|| route.timeout());
    if timeout.is_zero() || link.differs(mtype) {
        return None;
    }
    let ticket = link.call_at_once(mtype, body, timeout, waker)?;
    Some(Underway { ticket, about: About { mtype, name, way } })
}

/// The same for a one-way message.
fn notify_at_once(link: &Link, message: &Message, timeout: Duration) -> bool {
    let &Message { mtype, ref body, ref scope, .. } = message;
    let plain = scope.is_none() && !timeout.is_zero() && !link.differs(mtype);
    plain && link.notify_at_once(mtype, body)
}

impl<T, E> Call<T, E> {
    fn later(&mut self, process: Process) -> State {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Begun(message) => {
                let ended = self.route.clone().later(message);
                State::Later { ended, process }
            }
            state => state,
        }
    }
}

#[cfg(test)]
impl<T, E> Call<T, E> {
    /// As if it was polled by a child that was forked off.
    pub(crate) fn pretend_forked(&mut self) {
        if let State::Later { process, .. } = &mut self.state {
            *process = process.in_a_child();
        }
    }
}

/// What stage it is in: messages are not for logs.
impl<T, E> fmt::Debug for Call<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::Begun(_) => "Call(not polled yet)",
            State::First(_) | State::Later { .. } => "Call(under way)",
            State::Over => "Call(over)",
            State::Rare(rare) => match **rare {
                Rare::Refused(_) => "Call(not polled yet)",
                Rare::Other(_) => "Call(under way)",
                Rare::Ended(..) => "Call(over)",
            },
        })
    }
}
