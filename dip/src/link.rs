//! A native connection as those see it who call through it: what they put in, and who waits for what.
//!
//! The session is behind a lock that is held for one command at a time, never while a message is
//! encoded or decoded, a handler runs or a waker is called. Whoever puts something in wakes the
//! driver of the connection, which writes all that has come together by then at once.

mod state;
mod watchers;

use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::codec::Body;
use crate::mtype::Mtype;
use crate::process::Process;
use crate::reply::{Outcome as Answer, Rejection};
use crate::session::native::{Outcome, Outgoing, Receipt, RequestKey, Session, Ticket};
use crate::wire::native::{Failure, Trace};

pub(crate) use state::{Ending, State};
use watchers::Place;

/// How long a connection that nobody holds any more may take to write what was put in.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The shared half of a native connection.
pub(crate) struct Link {
    state: Mutex<State>,
    /// It carries new messages.
    open: AtomicBool,
    /// The numbers of the message types that the two sides know different versions of, ascending.
    mismatched: Vec<u32>,
    /// Whoever sends over it has no other connection, now or later.
    is_only: bool,
    process: Process,
}

/// The call that a handler serves: what calls made on its behalf take over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope {
    pub(crate) request: Option<RequestKey>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) trace: Option<Trace>,
}

/// A message that has begun.
#[derive(Debug)]
pub(crate) enum Begun {
    Over(Outcome),
    Waiting(Ticket),
}

/// A message on its way out.
pub(crate) struct Departure<'a> {
    pub(crate) mtype: Mtype,
    pub(crate) body: Body<'a>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) scope: Option<Scope>,
}

impl Link {
    pub(crate) fn new(session: Session, mismatched: Vec<u32>, is_only: bool) -> Self {
        let state = State::new(session);
        let (state, open) = (Mutex::new(state), true.into());
        Self { state, open, mismatched, is_only, process: Process::current() }
    }

    /// Begins a call, for which `waker` waits.
    pub(crate) fn call(
        &self,
        departure: Departure<'_>,
        now: Instant,
        waker: Option<&Waker>,
    ) -> Begun {
        let mut state = self.lock();
        let ticket = state.session.call(departure.outgoing(), now);
        self.begun(state, ticket, waker)
    }

    /// Sends a short call that serves none, for which `waker` waits, if nothing stands against it;
    /// otherwise nothing has happened.
    pub(crate) fn call_at_once(
        &self,
        mtype: Mtype,
        body: &[u8],
        time: Duration,
        waker: &Waker,
    ) -> Option<Ticket> {
        let mut state = self.lock();
        let ticket = state.session.call_at_once(mtype.number(), body, time)?;
        let old = state.wait(ticket, waker);
        let driver = state.wake();
        drop(state);
        if let Some(driver) = driver {
            driver.wake();
        }
        drop(old);
        Some(ticket)
    }

    /// Begins a one-way message, for which `waker` waits.
    pub(crate) fn notify(
        &self,
        departure: Departure<'_>,
        now: Instant,
        waker: Option<&Waker>,
    ) -> Begun {
        let mut state = self.lock();
        let ticket = state.session.notify(departure.outgoing(), now);
        self.begun(state, ticket, waker)
    }

    /// Sends a one-way message, if nothing stands against it; otherwise nothing has happened.
    pub(crate) fn notify_at_once(&self, mtype: Mtype, body: &[u8]) -> bool {
        let mut state = self.lock();
        let sent = state.session.notify_at_once(mtype.number(), body);
        let driver = if sent { state.wake() } else { None };
        drop(state);
        if let Some(driver) = driver {
            driver.wake();
        }
        sent
    }

    /// What has begun, has its outcome at once or waits for it.
    fn begun(
        &self,
        mut state: MutexGuard<'_, State>,
        ticket: Ticket,
        waker: Option<&Waker>,
    ) -> Begun {
        let outcome = state.session.outcome(ticket);
        let old = match (&outcome, waker) {
            (None, Some(waker)) => state.wait(ticket, waker),
            _ => None,
        };
        let driver = state.wake();
        drop(state);
        driver.into_iter().for_each(Waker::wake);
        drop(old);
        outcome.map_or(Begun::Waiting(ticket), Begun::Over)
    }

    /// Sends a one-way message if the peer takes one now.
    pub(crate) fn try_notify(&self, departure: Departure<'_>) -> bool {
        let now = Instant::now();
        self.command(|session| session.try_notify(departure.outgoing(), now))
    }

    /// Waits until the peer has dispatched what was put in before.
    pub(crate) async fn flush(&self, deadline: Option<Instant>) -> Outcome {
        let now = Instant::now();
        let ticket = self.command(|session| session.flush(deadline, now));
        let waiting = Waiting { link: self, ticket };
        let outcome = poll_fn(|cx| self.poll_outcome(ticket, cx)).await;
        std::mem::forget(waiting);
        outcome
    }

    /// What became of an operation; it is over with that.
    pub(crate) fn poll_outcome(&self, ticket: Ticket, cx: &mut Context<'_>) -> Poll<Outcome> {
        let mut state = self.lock();
        if let Some(outcome) = state.session.outcome(ticket) {
            state.unclaimed = state.unclaimed.saturating_sub(1);
            return Poll::Ready(outcome);
        }
        let old = state.wait(ticket, cx.waker());
        drop(state);
        // A waker may run code of its own when it is dropped.
        drop(old);
        Poll::Pending
    }

    /// Nobody waits any more for an operation that has not ended.
    pub(crate) fn abandon(&self, ticket: Ticket, now: Instant) {
        let mut state = self.lock();
        state.unclaimed = state.unclaimed.saturating_sub(1);
        // The place is another's as soon as the operation is over.
        let old = state.waiting.get_mut(ticket.slot()).and_then(Option::take);
        state.session.abandon(ticket, now);
        let driver = state.wake();
        drop(state);
        driver.into_iter().for_each(Waker::wake);
        drop(old);
    }

    /// Answers a call of the peer.
    pub(crate) fn answer(&self, request: RequestKey, answer: Answer) {
        match answer {
            Ok(body) => self.reply(request, Body::from(body)),
            Err(why) => self.refuse(request, &why),
        }
    }

    /// Replies to a call of the peer.
    pub(crate) fn reply(&self, request: RequestKey, body: Body<'_>) {
        self.command(|session| session.reply(request, body));
    }

    /// Answers a call of the peer with an error.
    pub(crate) fn refuse(&self, request: RequestKey, why: &Rejection) {
        let text = why.text_on_wire();
        let failure = Failure {
            code: why.code().number(),
            handled: why.handled().number(),
            text: &text,
            detail: why.detail(),
        };
        self.command(|session| session.fail(request, failure));
    }

    /// A one-way message of the peer was handled.
    pub(crate) fn notice_ended(&self, receipt: Receipt) {
        self.command(|session| session.notice_ended(receipt));
    }

    /// Whether the peer takes bodies of this length at all.
    pub(crate) fn takes(&self, len: usize) -> bool {
        self.lock().session.takes(len as u64)
    }

    /// Whether the two sides know different versions of a type.
    pub(crate) fn differs(&self, mtype: Mtype) -> bool {
        self.mismatched.binary_search(&mtype.number()).is_ok()
    }

    /// Whether the connection still carries new messages.
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Acquire)
    }

    /// It carries no new messages any more.
    pub(crate) fn retire(&self) {
        self.open.store(false, Release);
    }

    /// Whether there will be no other connection when this one has ended.
    pub(crate) fn is_only(&self) -> bool {
        self.is_only
    }

    /// Whether a flush still has something to say: the connection lives, or was lost with one-way
    /// messages on it that nobody has confirmed.
    pub(crate) fn is_worth_a_flush(&self) -> bool {
        let state = self.lock();
        !state.has_ended() || state.session.doubt().exists()
    }

    /// As [`is_forked`](Self::is_forked), and never mistaken.
    pub(crate) fn is_in_a_child(&self) -> bool {
        self.process.is_surely_forked()
    }

    /// Whether this is a child of the process that drives the connection.
    pub(crate) fn is_forked(&self) -> bool {
        self.process.is_forked()
    }

    /// Ends the connection once everything that was put in is written.
    pub(crate) fn close(&self) {
        self.end(Ending::Writing(Instant::now() + LAST_WORDS));
    }

    /// Ends the connection: its peer is too slow.
    pub(crate) fn cut(&self) {
        self.end(Ending::Slow);
    }

    /// Waits until nobody waits for an outcome any more, or the connection has ended.
    pub(crate) async fn settled(&self) {
        self.until(|state| state.session.is_settled() || state.has_ended()).await;
    }

    /// Waits until the connection has ended.
    pub(crate) async fn ended(&self) {
        self.until(State::has_ended).await;
    }

    async fn until(&self, reached: impl Fn(&State) -> bool) {
        let mut watching = Watching { link: self, place: None };
        poll_fn(|cx| {
            let mut state = self.lock();
            if reached(&state) {
                return Poll::Ready(());
            }
            let old = state.watching.keep(&mut watching.place, cx.waker());
            drop(state);
            drop(old);
            Poll::Pending
        })
        .await;
    }

    fn end(&self, ending: Ending) {
        self.retire();
        let mut state = self.lock();
        state.ending.get_or_insert(ending);
        let driver = state.wake();
        drop(state);
        driver.into_iter().for_each(Waker::wake);
    }

    /// Runs a command, and has the driver look at what came of it.
    pub(crate) fn command<T>(&self, command: impl FnOnce(&mut Session) -> T) -> T {
        let mut state = self.lock();
        let done = command(&mut state.session);
        let driver = state.wake();
        drop(state);
        driver.into_iter().for_each(Waker::wake);
        done
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives an operation up when it is dropped before it has ended.
struct Waiting<'a> {
    link: &'a Link,
    ticket: Ticket,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.link.abandon(self.ticket, Instant::now());
    }
}

/// Takes a waker back when nobody waits with it any more.
struct Watching<'a> {
    link: &'a Link,
    place: Option<Place>,
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        // In a child the lock may be held by a thread that does not exist there.
        if let Some(place) = self.place.take()
            && !self.link.is_in_a_child()
        {
            let old = self.link.lock().watching.leave(place);
            drop(old);
        }
    }
}

impl<'a> Departure<'a> {
    fn outgoing(self) -> Outgoing<'a> {
        let Self { mtype, body, deadline, scope } = self;
        Outgoing {
            mtype: mtype.number(),
            body,
            deadline,
            parent: scope.and_then(|scope| scope.request),
            trace: scope.and_then(|scope| scope.trace),
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}
