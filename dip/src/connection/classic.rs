//! Drives a classic session over a stream: reads, runs handlers, writes, watches the time.
//!
//! One task a connection. It never ends with a handler half done because the peer has left: what
//! was received whole is handled, whether or not somebody waits for the answer.

mod messages;
mod time;
mod traffic;

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::task::coop;

use crate::context::Context;
use crate::dispatch::Running;
use crate::peer::{Connected, Peer};
use crate::reply::{Code, Rejection};
use crate::service::{CloseReason, Lane, Memory, Service, Stage};
use crate::session::classic::{Admission, LATE, Session};

/// Replies that wait to be written, in bytes, before no further message is taken in hand.
const MAX_OUTPUT: usize = 64 << 10;

/// Replies that are written before the next handler runs. They wait for each other up to here, as
/// one write costs more than the handlers of many small messages.
const BATCH: usize = 256;

/// How long handlers may follow each other before somebody looks for bytes to read.
const WATCH: Duration = Duration::from_millis(50);

/// A connection and everything it has in hand.
pub(crate) struct Connection<S> {
    service: Arc<Service>,
    stream: S,
    connected: Arc<Connected>,
    peer: Peer,
    session: Session,
    in_hand: Option<InHand>,
    input: Input,
    /// Nobody has looked for bytes to read since.
    unwatched: Option<Instant>,
    /// The peer has taken no byte since.
    stalled: Option<Instant>,
    unwritable: bool,
    draining: bool,
    closing: Option<CloseReason>,
    memory: Memory,
    queue: Arc<Semaphore>,
    lane: Lane,
    /// What surrounded an earlier message.
    spare: Cell<Option<Context>>,
    /// Replies have no place on this wire.
    unheard: Vec<u8>,
}

/// The message whose handler runs.
struct InHand {
    mtype: u8,
    bytes: usize,
    started: Instant,
    answer: Answer,
}

/// What a message was answered: the classic wire has no replies but that.
type Answered = Result<(), Rejection>;

/// Where the answer to the message in hand comes from.
enum Answer {
    /// It was there at once, and waits for the session to know whether it is late.
    There(Answered),
    Running(Running),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Input {
    Open,
    Ended,
    Broken,
}

/// What woke a connection.
enum Turn {
    Handled(Answered),
    Wrote,
    Read,
    Timer,
    Draining,
    Closed,
    Evicted,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// A connection that was opened at `begun`.
    pub(crate) fn new(
        service: Arc<Service>,
        stream: S,
        connected: Connected,
        begun: Instant,
    ) -> Self {
        let connected = Arc::new(connected);
        let peer = Peer::new(connected.clone(), None);
        Self {
            session: Session::new(service.limits(), begun),
            spare: Cell::default(),
            peer,
            memory: Memory::new(service.memory()),
            queue: Arc::new(Semaphore::new(
                service.limits().queued_messages.clamp(1, Semaphore::MAX_PERMITS),
            )),
            lane: Lane::default(),
            unheard: Vec::new(),
            in_hand: None,
            input: Input::Open,
            unwatched: None,
            stalled: None,
            unwritable: false,
            draining: false,
            closing: None,
            service,
            stream,
            connected,
        }
    }

    /// Serves the connection until its end. `first` is what has been read of it.
    pub(crate) async fn run(mut self, first: &[u8]) -> CloseReason {
        self.service.peers().join(&self.peer);
        self.session.input().extend_from_slice(first);
        self.received(first.len());
        self.drive().await
    }

    async fn drive(&mut self) -> CloseReason {
        let service = self.service.clone();
        let (mut first, mut second) = (service.stage(), service.stage());
        let mut draining = pin!(first.wait_for(|stage| *stage >= Stage::Draining));
        let mut closed = pin!(second.wait_for(|stage| *stage == Stage::Closed));
        let mut evicted = Some(Box::pin(service.incomplete().evicted()));
        let mut timer = pin!(tokio::time::sleep(service.limits().handshake));
        loop {
            let answered = poll_fn(|cx| {
                let answered = self.take_in_hand(cx);
                // With more to write there may be messages left, which are looked at when it is written.
                if self.in_hand.is_none() && self.session.output().len() < MAX_OUTPUT {
                    _ = self.poll_write(cx);
                }
                Poll::Ready(answered)
            })
            .await;
            // Handlers that are ready at once would keep others from running.
            for _ in 0..answered {
                coop::consume_budget().await;
            }
            if self.session.greeted() {
                evicted = None;
            }
            if let Some(reason) = self.ended() {
                self.linger(reason).await;
                return reason;
            }
            let deadline = self.deadline();
            // The timer may fire early, never late: moving it for each message costs more.
            if deadline.is_some_and(|at| at < timer.deadline().into_std()) || timer.is_elapsed() {
                timer.as_mut().reset(deadline.unwrap_or_else(far_away).into());
            }
            // A handler may have kept this thread busy. The runtime learns what has arrived when the task
            // lets go of it: a look before that would see nothing, and take it for quiet.
            if self.in_hand.is_some() && self.unwatched.is_some_and(|since| since.elapsed() > LATE)
            {
                tokio::task::yield_now().await;
            }
            let turn = tokio::select! {
                biased;
                turn = poll_fn(|cx| self.poll_turn(cx)) => turn,
                () = timer.as_mut() => Turn::Timer,
                _ = &mut draining, if !self.draining => Turn::Draining,
                _ = &mut closed => Turn::Closed,
                () = async { match &mut evicted {
                    Some(evicted) => evicted.await,
                    None => std::future::pending().await,
                } } => Turn::Evicted,
            };
            match turn {
                Turn::Handled(answer) => {
                    self.look_before_reply().await;
                    if let Some(done) = self.in_hand.take() {
                        self.reply(done.mtype, done.bytes, done.started, &answer);
                        // A worker that has sent a message again, over another connection, takes no
                        // answer to the first attempt for that of its next message if that one comes
                        // first. So it leaves before the handler's turn in its lane is over.
                        if done.is_ordered() {
                            let write = poll_fn(|cx| Poll::Ready(_ = self.poll_write(cx)));
                            coop::unconstrained(write).await;
                        }
                        if let Answer::Running(running) = done.answer {
                            self.spare.set(Some(running.into_context()));
                        }
                    }
                    coop::consume_budget().await;
                }
                Turn::Wrote | Turn::Read => {}
                Turn::Timer => self.check_time(),
                Turn::Draining => self.draining = true,
                Turn::Evicted => {
                    evicted = None;
                    self.close(CloseReason::Evicted, Some("too many connections say nothing"));
                }
                Turn::Closed => {
                    self.abort();
                    return CloseReason::ShuttingDown;
                }
            }
        }
    }

    /// Polls the handler, then writes, then reads.
    fn poll_turn(&mut self, cx: &mut task::Context<'_>) -> Poll<Turn> {
        let was_stalled = self.stalled.is_some();
        let full = self.session.output().len() >= BATCH;
        if full || self.is_unwatched() {
            if self.poll_write(cx).is_ready() {
                return Poll::Ready(Turn::Wrote);
            }
            if self.poll_read(cx).is_ready() {
                return Poll::Ready(Turn::Read);
            }
            if self.in_hand.is_some() {
                self.unwatched.get_or_insert_with(Instant::now);
            }
        }
        if let Some(in_hand) = &mut self.in_hand
            && let Poll::Ready(answer) = in_hand.answer.poll(&self.service, cx, &mut self.unheard)
        {
            return Poll::Ready(Turn::Handled(answer));
        }
        if self.poll_write(cx).is_ready() {
            return Poll::Ready(Turn::Wrote);
        }
        match self.poll_read(cx) {
            // There is a deadline now that the timer does not know.
            Poll::Pending if !was_stalled && self.stalled.is_some() => Poll::Ready(Turn::Wrote),
            read => read.map(|()| Turn::Read),
        }
    }

    /// Whether the stream was not read for a while, since there was other work.
    fn is_unwatched(&mut self) -> bool {
        if self.in_hand.is_none() && self.session.output().is_empty() {
            return false;
        }
        let now = Instant::now();
        now.saturating_duration_since(*self.unwatched.get_or_insert(now)) > WATCH
    }

    /// Why the connection is at its end, once nothing is left to do.
    fn ended(&mut self) -> Option<CloseReason> {
        if self.in_hand.is_some() || !self.session.output().is_empty() {
            return None;
        }
        if self.closing.is_some() {
            return self.closing;
        }
        if self.session.is_closing() {
            return Some(CloseReason::TooLarge);
        }
        match self.input {
            _ if self.draining => Some(CloseReason::ShuttingDown),
            Input::Ended if !self.session.is_mid_frame() => Some(CloseReason::PeerClosed),
            Input::Ended | Input::Broken => Some(CloseReason::Lost),
            Input::Open => None,
        }
    }

    fn close(&mut self, reason: CloseReason, last_word: Option<&str>) {
        if self.closing.is_none() {
            self.closing = Some(reason);
            let last_word =
                last_word.map(|text| Rejection::of(Code::Denied, "ConnectionError", text));
            self.session.close(last_word);
        }
    }

    /// The server does not wait any longer: the handler in hand is dropped and its sender told.
    fn abort(&mut self) {
        if let Some(in_hand) = self.in_hand.take() {
            let text = "the server stopped before the handler had ended";
            let why = Rejection::of(Code::Cancelled, "ConnectionError", text);
            self.reply(in_hand.mtype, in_hand.bytes, in_hand.started, &Err(why));
            let mut cx = task::Context::from_waker(task::Waker::noop());
            _ = self.poll_write(&mut cx);
        }
    }
}

impl InHand {
    fn is_ordered(&self) -> bool {
        matches!(&self.answer, Answer::Running(running) if running.handler().order.is_some())
    }
}

impl Answer {
    fn poll(
        &mut self,
        service: &Service,
        cx: &mut task::Context<'_>,
        unheard: &mut Vec<u8>,
    ) -> Poll<Answered> {
        match self {
            Self::There(answer) => Poll::Ready(std::mem::replace(answer, Ok(()))),
            Self::Running(running) => {
                let polled = running.poll(service, cx, unheard);
                if polled.is_ready() {
                    *unheard = Vec::new();
                }
                polled.map_ok(drop)
            }
        }
    }
}

fn shutting_down() -> Rejection {
    Rejection::of(Code::ShuttingDown, "ConnectionError", "the server is shutting down")
}

/// A deadline that is none, in the reach of every timer.
fn far_away() -> Instant {
    Instant::now() + Duration::from_secs(24 * 3600)
}

/// Takes in what the router knows, up to the limit of each type.
struct Known<'a>(&'a Service);

impl Admission for Known<'_> {
    fn max_len(&self, mtype: u8) -> Result<usize, Rejection> {
        let limits = self.0.limits();
        match self.0.routes().byte(mtype) {
            Some(to) => Ok(to.max_len(limits)),
            None if self.0.routes().fallback(mtype).is_some() => Ok(limits.max_message.0),
            None => Err(Rejection::unknown_type(mtype)),
        }
    }
}
