//! Drives a native session over a stream: reads what is there, runs handlers, writes once.
//!
//! One task a connection, on either side. A handler is polled where its message was read; only one
//! that has to wait becomes a task of its own. So all that arrived together is answered together.

mod admission;
mod last_words;
mod requests;
mod tasks;
mod time;
mod traffic;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{self, Poll, Waker};
use std::time::{Duration, Instant};

use crate::link::{Ending, Link, State};
use crate::peer::Peer;
use crate::reply::Code;
use crate::service::{CloseReason, Memory, Service, Stage};
use crate::session::native::{Input, Output};
use crate::transport::Stream;

use admission::Account;
use requests::Serving;
use tasks::Tasks;
use time::Pace;

/// Turns of reading and writing before others of the runtime get theirs.
const TURNS: usize = 16;

/// A native connection and everything it has in hand.
pub(crate) struct Connection {
    serving: Serving,
    stream: Stream,
    input: Input,
    /// What is being written, without the lock of the link.
    output: Output,
    tasks: Arc<Tasks>,
    account: Account,
    pace: Pace,
    /// Bytes came since the session was last told so.
    heard: bool,
    /// Woken without the lock of the link.
    woken: Vec<Waker>,
    /// The peer has taken no byte since.
    stalled: Option<Instant>,
    /// The peer says nothing any more.
    exhausted: bool,
    /// The peer takes nothing any more since.
    unwritable: Option<Instant>,
    draining: bool,
    /// The last words were said, as far as they could be.
    finished: bool,
    closing: Option<CloseReason>,
}

impl Connection {
    /// A connection whose handshake is done; `link` is that of `peer`, and `input` holds what came
    /// behind the handshake.
    pub(crate) fn new(
        service: Arc<Service>,
        link: Arc<Link>,
        peer: Peer,
        stream: Stream,
        input: Input,
    ) -> Self {
        Self {
            account: Account::new(Memory::new(service.memory())),
            output: Output::default(),
            tasks: Arc::default(),
            pace: Pace::default(),
            heard: false,
            woken: Vec::new(),
            stalled: None,
            exhausted: false,
            unwritable: None,
            draining: false,
            finished: false,
            closing: None,
            serving: Serving::new(service, link, peer),
            stream,
            input,
        }
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.serving.peer
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.serving.link
    }

    /// Drives the connection until its end.
    pub(crate) async fn run(mut self) -> CloseReason {
        let service = self.serving.service.clone();
        let (mut first, mut second) = (service.stage(), service.stage());
        let mut draining = pin!(first.wait_for(|stage| *stage >= Stage::Draining));
        let mut closed = pin!(second.wait_for(|stage| *stage == Stage::Closed));
        let mut timer = pin!(tokio::time::sleep(far()));
        let reason = loop {
            let turn = poll_fn(|cx| {
                if closed.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Turn::Closed);
                }
                if !self.draining && draining.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Turn::Draining);
                }
                if let Poll::Ready(reason) = self.poll_turns(cx) {
                    return Poll::Ready(Turn::Ended(reason));
                }
                let now = Instant::now();
                let due = self.due();
                // The timer may fire early, never late: moving it for each message costs more.
                if due.is_some_and(|due| due < timer.deadline().into_std()) || timer.is_elapsed() {
                    let due = due.unwrap_or_else(|| now + far());
                    timer.as_mut().reset(due.into());
                }
                timer.as_mut().poll(cx).map(|()| Turn::Timer)
            });
            match turn.await {
                Turn::Ended(reason) => break reason,
                Turn::Timer => self.check_time(),
                Turn::Draining => {
                    self.draining = true;
                    let code = Code::ShuttingDown.number();
                    self.serving.link.command(|session, _| session.goaway(code, "shutting down"));
                }
                Turn::Closed => break CloseReason::ShuttingDown,
            }
        };
        self.closing = Some(reason);
        self.finish(reason).await;
        self.finished = true;
        reason
    }

    /// Reads, runs handlers and writes until there is nothing more to do now.
    fn poll_turns(&mut self, cx: &mut task::Context<'_>) -> Poll<CloseReason> {
        self.serving.link.lock().begin_turn();
        for _ in 0..TURNS {
            let read = self.poll_read(cx);
            self.follow_events();
            let written = self.poll_write(cx);
            if let Some(reason) = self.ended() {
                return Poll::Ready(reason);
            }
            if !read && !written && self.sleeps(cx.waker()) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether nothing was put in meanwhile; from then on, who puts something in wakes the driver.
    fn sleeps(&mut self, waker: &Waker) -> bool {
        let mut state = self.serving.link.lock();
        let state = &mut *state;
        if self.verdict(state).is_some()
            || state.session.has_events()
            || (self.output.is_empty() && !state.session.output().is_empty())
        {
            return false;
        }
        state.show(&mut self.woken);
        state.end_turn(waker);
        self.woken.is_empty()
    }

    /// Why the connection is at its end, once nothing is left to do.
    fn ended(&mut self) -> Option<CloseReason> {
        self.verdict(&mut self.serving.link.lock())
    }

    fn verdict(&self, state: &mut State) -> Option<CloseReason> {
        if self.closing.is_some() {
            // What is not written yet has its time, but no more than that.
            return self.closing;
        }
        let written = self.output.is_empty() && state.session.is_written();
        match state.ending() {
            Some(Ending::Slow) => return Some(CloseReason::SlowConsumer),
            Some(Ending::Writing(until)) => {
                let over = written || Instant::now() >= until;
                return over.then_some(CloseReason::Closed);
            }
            Some(Ending::Ended) | None => {}
        }
        let idle = self.draining && written && state.session.is_idle() && self.tasks.are_none();
        idle.then_some(CloseReason::ShuttingDown)
    }

    fn close(&mut self, reason: CloseReason) {
        self.closing.get_or_insert(reason);
    }
}

/// What woke a connection.
enum Turn {
    Ended(CloseReason),
    Timer,
    Draining,
    Closed,
}

/// A time in which something else will have happened.
fn far() -> Duration {
    Duration::from_secs(24 * 3600)
}
