//! Drives a native session over a stream: reads what is there, runs handlers, writes once.
//!
//! One task a connection, on either side. A handler is polled where its message was read; only one
//! that has to wait becomes a task of its own. So all that arrived together is answered together.

mod admission;
mod alarms;
mod answers;
mod effort;
mod last_words;
mod requests;
mod run;
mod spin;
mod tasks;
mod time;
mod traffic;

use std::cell::Cell;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{self, Poll, Waker};
use std::time::Instant;

use tokio::runtime::{Handle, RuntimeFlavor};

use crate::context::Context;
use crate::link::{Ending, Link, State};
use crate::peer::Peer;
use crate::reply::Code;
use crate::service::{CloseReason, Memory, Service};
use crate::session::native::{Input, Output};
use crate::transport::Stream;

use admission::{Account, Known};
use alarms::{Alarm, Alarms};
use answers::Answers;
use requests::Serving;
use spin::{Idle, Spin};
use tasks::Tasks;
use time::Pace;

/// Turns of reading and writing before others of the runtime get theirs.
const TURNS: usize = 16;

/// Reads, each with its handlers, before what they answered is written.
const READS: usize = 4;

/// A native connection and everything it has in hand.
pub(crate) struct Connection {
    serving: Serving,
    stream: Stream,
    input: Input,
    /// There may be whole frames in the input.
    unhandled: bool,
    /// The runtime runs the driver before other tasks that are ready.
    hasty: bool,
    /// It has let others run first.
    deferred: bool,
    spin: Spin,
    /// What is being written, without the lock of the link.
    output: Output,
    tasks: Arc<Tasks>,
    answers: Answers,
    /// What surrounded an earlier message.
    spare: Cell<Option<Context>>,
    /// Batches in which handlers are timed.
    timed: u8,
    account: Account,
    /// The type of the last message.
    known: Option<Known>,
    pace: Pace,
    /// Bytes came since the session was last told so.
    heard: bool,
    /// Woken without the lock of the link.
    woken: Vec<Waker>,
    /// The peer has taken no byte since.
    stalled: Option<Instant>,
    /// When something has to be looked at, if nothing happens until then.
    due: Option<Instant>,
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
            known: None,
            output: Output::default(),
            tasks: Arc::default(),
            answers: Answers::default(),
            spare: Cell::default(),
            timed: 0,
            pace: Pace::default(),
            heard: false,
            woken: Vec::new(),
            stalled: None,
            due: None,
            unhandled: true,
            hasty: false,
            deferred: false,
            spin: Spin::new(service.spin()),
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
    pub(crate) async fn run(mut self: Box<Self>) -> CloseReason {
        let mut alarms = Alarms::new(&self.serving.service);
        self.hasty = Handle::current().runtime_flavor() != RuntimeFlavor::CurrentThread;
        let reason = poll_fn(|cx| self.poll(&mut alarms, cx)).await;
        self.closing = Some(reason);
        self.finish(reason).await;
        self.finished = true;
        reason
    }

    fn poll(&mut self, alarms: &mut Alarms, cx: &mut task::Context<'_>) -> Poll<CloseReason> {
        loop {
            match alarms.poll(cx) {
                Some(Alarm::Closed) => return Poll::Ready(CloseReason::ShuttingDown),
                Some(Alarm::Draining) => {
                    self.draining = true;
                    let code = Code::ShuttingDown.number();
                    self.serving.link.command(|session| session.goaway(code, "shutting down"));
                    continue;
                }
                Some(Alarm::Time) => self.check_time(),
                None => {}
            }
            if let Poll::Ready(reason) = self.poll_turns(cx) {
                return Poll::Ready(reason);
            }
            alarms.set(self.due);
            if !alarms.has_rung() {
                return Poll::Pending;
            }
        }
    }

    /// Reads, runs handlers and writes until there is nothing more to do now.
    fn poll_turns(&mut self, cx: &mut task::Context<'_>) -> Poll<CloseReason> {
        // Whoever has once found nothing to read is woken when there is something.
        let (mut readable, mut blocked) = (true, false);
        for _ in 0..TURNS {
            let mut came = false;
            for _ in 0..READS {
                readable = readable && self.poll_read(cx);
                came |= readable;
            }
            let (more, waker) = (readable || self.unhandled, cx.waker());
            if came {
                self.spin.busy();
            }
            match self.look(came, more, blocked, waker) {
                Next::Ended(reason) => return Poll::Ready(reason),
                Next::Sleep => return Poll::Pending,
                Next::Write if self.poll_write(cx) && self.unwritable.is_none() => {
                    return Poll::Pending;
                }
                Next::Write => {
                    blocked = !self.output.is_empty();
                    continue;
                }
                Next::Defer => break,
                Next::Settle => readable = true,
                Next::Again => {}
            }
            if !self.output.is_empty() {
                blocked = !self.poll_write(cx);
                readable |= self.stream.is_flushed_while_read();
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Looks at what was put in, and whether there is anything left to do: `more` to read, among other
    /// things. When there is not, who puts something in wakes the driver from then on.
    fn look(&mut self, came: bool, more: bool, blocked: bool, waker: &Waker) -> Next {
        let link = &self.serving.link;
        let mut state = link.lock();
        state.begin_turn();
        if state.session.has_clocks_to_start() {
            state.session.start_clocks(Instant::now());
        }
        let event = state.poll_event(&mut self.woken);
        // Credit leaves with what they send who were just given what it is for, and need not wake the
        // peer on its own.
        let waits = !self.deferred && state.expects_more() && self.output.is_empty();
        if waits && state.session.has_only_credit() {
            self.deferred = true;
            drop(state);
            self.follow(event);
            return if more { Next::Again } else { Next::Defer };
        }
        let happened = more || event.is_some() || !self.woken.is_empty();
        // The runtime with many threads runs a driver that a caller has woken right behind that caller,
        // and would have it write each message alone.
        let hastens = self.hasty && !self.deferred && state.expects_more();
        if hastens && !came && !happened && self.output.is_empty() {
            self.deferred = true;
            return Next::Defer;
        }
        state.take_output(&mut self.output);
        let verdict = self.verdict(&mut state);
        let writes = !blocked && !self.output.is_empty();
        if verdict.is_none() && !more && event.is_none() {
            state.show(&mut self.woken);
            let rests = if writes || !self.woken.is_empty() {
                self.spin.is_off() && !(writes && self.looks_behind(&state))
            } else {
                match self.spin.idle() {
                    Idle::Spins => return Next::Defer,
                    Idle::Settles => return Next::Settle,
                    Idle::Sleeps => true,
                }
            };
            if rests {
                self.due = self.next_due(&state);
                self.deferred = false;
                state.end_turn(waker);
                drop(state);
                self.input.rest();
                self.follow(None);
                return if writes { Next::Write } else { Next::Sleep };
            }
        }
        drop(state);
        self.spin.busy();
        self.follow(event);
        verdict.map_or(Next::Again, Next::Ended)
    }

    /// Whether there may be something to do once all that was taken is written.
    fn looks_behind(&self, state: &State) -> bool {
        let ends = self.draining || state.ending().is_some();
        ends || state.session.has_more_to_write() || self.stream.is_flushed_while_read()
    }

    /// Why the connection is at its end, if nothing is left to do.
    fn verdict(&self, state: &mut State) -> Option<CloseReason> {
        if self.closing.is_some() {
            // What is not written yet has its time, but no more than that.
            return self.closing;
        }
        let ending = state.ending();
        if !self.draining && ending.is_none() {
            return None;
        }
        let written = self.output.is_empty() && state.session.is_written();
        match ending {
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

/// What a connection does next.
enum Next {
    Ended(CloseReason),
    Sleep,
    /// It writes, and sleeps when that is done.
    Write,
    /// Others run first.
    Defer,
    /// It reads once more, to be woken.
    Settle,
    Again,
}
