//! Drives a session over a stream: reads, runs handlers, writes, watches the time.
//!
//! One task a connection. It never ends with a handler half done because the peer has left: what
//! was received whole is handled, whether or not somebody waits for the answer.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{self, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::builtin::SetConnectionId;
use crate::codec::{Body, DecodeLimits};
use crate::dispatch::{Answer, Dispatched, Lane, Running, Sender, unknown};
use crate::peer::{Connected, Peer};
use crate::protocol::Protocol;
use crate::reply::{Code, Rejection};
use crate::server::{CloseReason, MEMORY_UNIT, Server, Stage};
use crate::session::classic::{Admission, Event, Overdue, Session};
use crate::wire::classic::SET_CONNECTION_ID;

/// Replies that wait to be written, in bytes, before no further message is taken in hand.
const MAX_OUTPUT: usize = 64 << 10;

/// How long a peer may take to read the last word before the connection is closed.
const LINGER: Duration = Duration::from_secs(1);

/// A connection and everything it has in hand.
pub(crate) struct Connection<S> {
    server: Server,
    stream: S,
    connected: Arc<Connected>,
    peer: Peer,
    session: Session,
    in_hand: Option<InHand>,
    input: Input,
    /// The peer has taken no byte since.
    stalled: Option<Instant>,
    unwritable: bool,
    draining: bool,
    closing: Option<CloseReason>,
    memory: Memory,
    queue: Arc<Semaphore>,
    lane: Lane,
}

/// The message whose handler runs.
struct InHand {
    mtype: u8,
    bytes: usize,
    started: Instant,
    running: Running,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Input {
    Open,
    Ended,
    Broken,
}

/// What woke a connection.
enum Turn {
    Handled(Answer),
    Wrote,
    Read,
    Timer,
    Draining,
    Closed,
    Evicted,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(crate) fn new(server: Server, stream: S, connected: Connected) -> Self {
        let connected = Arc::new(connected);
        Self {
            session: Session::new(server.limits(), Instant::now()),
            peer: Peer::new(connected.clone(), None),
            memory: Memory { permits: server.memory(), held: None },
            queue: Arc::new(Semaphore::new(server.limits().queued_messages)),
            lane: Lane::default(),
            in_hand: None,
            input: Input::Open,
            stalled: None,
            unwritable: false,
            draining: false,
            closing: None,
            server,
            stream,
            connected,
        }
    }

    /// Serves the connection until its end.
    pub(crate) async fn run(mut self) {
        let reason = self.drive().await;
        let peer = self.connected.id.0;
        match reason {
            CloseReason::PeerClosed | CloseReason::ShuttingDown => {
                tracing::debug!(peer, ?reason, "connection closed");
            }
            _ => tracing::warn!(peer, ?reason, "connection closed"),
        }
        self.server.totals().closed(reason);
    }

    async fn drive(&mut self) -> CloseReason {
        let server = self.server.clone();
        let (mut first, mut second) = (server.stage(), server.stage());
        let mut draining = pin!(first.wait_for(|stage| *stage >= Stage::Draining));
        let mut closed = pin!(second.wait_for(|stage| *stage == Stage::Closed));
        let mut evicted = Some(Box::pin(server.incomplete().evicted()));
        let mut timer = pin!(tokio::time::sleep(server.limits().handshake));
        loop {
            self.take_in_hand();
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
                    if let Some(done) = self.in_hand.take() {
                        self.reply(done.mtype, done.bytes, done.started, &answer);
                    }
                }
                Turn::Wrote | Turn::Read => {}
                Turn::Timer => self.check_time(),
                Turn::Draining => self.draining = true,
                Turn::Evicted => {
                    self.close(CloseReason::Evicted, "too many connections say nothing")
                }
                Turn::Closed => {
                    self.abort();
                    return CloseReason::ShuttingDown;
                }
            }
        }
    }

    /// Takes messages in hand until one has to be waited for.
    fn take_in_hand(&mut self) {
        while self.in_hand.is_none() && self.session.output().len() < MAX_OUTPUT {
            let Some(event) = self.session.poll_event(&Known(&self.server)) else { return };
            let started = Instant::now();
            let (mtype, bytes, dispatched) = match event {
                Event::Refused(mtype, why) => {
                    match why.code() {
                        Code::UnknownType => _ = self.server.totals().unknown.fetch_add(1, Relaxed),
                        _ => self.server.routes().refused(mtype),
                    }
                    (mtype, 0, Dispatched::Done(Err(why)))
                }
                Event::Message(mtype, body) => (mtype, body.len(), self.dispatch(mtype, body)),
            };
            match dispatched {
                Dispatched::Done(answer) => self.reply(mtype, bytes, started, &answer),
                Dispatched::Running(running) => {
                    self.in_hand = Some(InHand { mtype, bytes, started, running });
                }
            }
        }
    }

    fn dispatch(&mut self, mtype: u8, body: Bytes) -> Dispatched {
        if self.draining {
            return Dispatched::Done(Err(shutting_down()));
        }
        if mtype == SET_CONNECTION_ID {
            let limits = DecodeLimits::for_body(body.len());
            let id = SetConnectionId::decode(Body::from(body), &limits);
            return Dispatched::Done(match id {
                Ok(SetConnectionId(id)) => {
                    self.peer = Peer::new(self.connected.clone(), Some(id));
                    Ok(())
                }
                Err(error) => Err(Rejection::from_decode(&error)),
            });
        }
        let Self { server, peer, queue, lane, .. } = &*self;
        Sender { server, peer, queue, lane }.dispatch(mtype, body)
    }

    fn reply(&mut self, mtype: u8, bytes: usize, started: Instant, answer: &Answer) {
        let took = started.elapsed();
        let written = self.session.reply(answer.as_ref().map(|()| ()));
        self.memory.hold(self.session.buffered());
        let to = self.server.routes().byte(mtype);
        let name = to.map_or("", |to| (to.protocol.name)());
        let peer = self.connected.id.0;
        if !written {
            self.server.totals().late_replies.fetch_add(1, Relaxed);
            if to.is_none_or(|to| to.counters.late.fetch_add(1, Relaxed) == 0) {
                tracing::warn!(
                    peer,
                    mtype,
                    name,
                    ?took,
                    "a reply was due so late that its sender had given up: it is not written (said once)",
                );
            }
        }
        let outcome = match answer {
            Ok(()) => "ok",
            Err(rejection) => rejection.class(),
        };
        tracing::debug!(target: "dip::message", peer, mtype, name, bytes, ?took, outcome, written);
    }

    /// Polls the handler, then writes, then reads.
    fn poll_turn(&mut self, cx: &mut task::Context<'_>) -> Poll<Turn> {
        if let Some(in_hand) = &mut self.in_hand
            && let Poll::Ready(answer) = in_hand.running.as_mut().poll(cx)
        {
            return Poll::Ready(Turn::Handled(answer));
        }
        if self.poll_write(cx).is_ready() {
            return Poll::Ready(Turn::Wrote);
        }
        self.poll_read(cx).map(|()| Turn::Read)
    }

    fn poll_write(&mut self, cx: &mut task::Context<'_>) -> Poll<()> {
        let output = self.session.output();
        if output.is_empty() {
            return Poll::Pending;
        }
        if self.unwritable {
            output.clear();
            return Poll::Ready(());
        }
        match Pin::new(&mut self.stream).poll_write(cx, output) {
            Poll::Ready(Ok(written)) if written > 0 => {
                output.advance(written);
                self.stalled = None;
                Poll::Ready(())
            }
            // What was received before is still handled.
            Poll::Ready(_) => {
                self.unwritable = true;
                Poll::Ready(())
            }
            Poll::Pending => {
                self.stalled.get_or_insert_with(Instant::now);
                Poll::Pending
            }
        }
    }

    fn poll_read(&mut self, cx: &mut task::Context<'_>) -> Poll<()> {
        let welcome = self.input == Input::Open && !self.draining;
        if !welcome || !self.session.wants_input() || self.session.output().len() >= MAX_OUTPUT {
            return Poll::Pending;
        }
        let read = pin!(self.stream.read_buf(self.session.input())).poll(cx);
        match read {
            Poll::Pending => {
                self.session.drained();
                return Poll::Pending;
            }
            Poll::Ready(Ok(0)) => self.input = Input::Ended,
            Poll::Ready(Err(_)) => self.input = Input::Broken,
            Poll::Ready(Ok(read)) => {
                self.session.received(read, Instant::now(), &Known(&self.server));
                let in_hand = self.in_hand.as_ref().map_or(0, |in_hand| in_hand.bytes);
                if !self.memory.hold(self.session.buffered() + in_hand) {
                    self.close(
                        CloseReason::OutOfMemory,
                        "the server holds as many bytes as it may",
                    );
                }
            }
        }
        Poll::Ready(())
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

    fn deadline(&self) -> Option<Instant> {
        let limits = self.server.limits();
        let handler = self.in_hand.as_ref().map(|in_hand| in_hand.started + limits.handler_cap);
        let write = self.stalled.map(|since| since + limits.write);
        let waits = self.input == Input::Open && !self.draining;
        let session = self.session.next_timeout().filter(|_| waits);
        [handler, write, session].into_iter().flatten().min()
    }

    fn check_time(&mut self) {
        let (now, limits) = (Instant::now(), self.server.limits());
        if self.stalled.is_some_and(|since| now >= since + limits.write) {
            self.unwritable = true;
            return self.close(CloseReason::SlowConsumer, "");
        }
        let cap = limits.handler_cap;
        if let Some(late) = self.in_hand.take_if(|in_hand| now >= in_hand.started + cap) {
            let text = format!("the handler was stopped after {cap:?}");
            let rejection = Rejection::of(Code::Deadline, "TimeoutError", text);
            self.reply(late.mtype, late.bytes, late.started, &Err(rejection));
        }
        let waits = self.input == Input::Open && !self.draining;
        match self.session.overdue(now).filter(|_| waits) {
            None => {}
            Some(Overdue::Handshake) => {
                self.close(CloseReason::HandshakeTimeout, "no frame in time")
            }
            Some(Overdue::Frame) => {
                self.close(CloseReason::FrameTimeout, "the frame took too long")
            }
            Some(Overdue::Progress) => {
                self.close(CloseReason::TooSlow, "the frame came too slowly")
            }
        }
    }

    fn close(&mut self, reason: CloseReason, last_word: &str) {
        if self.closing.is_none() {
            self.closing = Some(reason);
            self.session.close(&Rejection::of(Code::Denied, "ConnectionError", last_word));
        }
    }

    /// Closes in a way that lets the last reply arrive: bytes that nobody reads would reset the
    /// connection and take the reply with them.
    async fn linger(&mut self, reason: CloseReason) {
        let unread = !matches!(reason, CloseReason::PeerClosed | CloseReason::Lost);
        if self.unwritable || !unread {
            return;
        }
        let mut scratch = [0; 1024];
        let drain = async {
            poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx)).await?;
            while self.stream.read(&mut scratch).await? > 0 {}
            io::Result::Ok(())
        };
        _ = tokio::time::timeout(LINGER, drain).await;
    }

    /// The server does not wait any longer: the handler in hand is dropped and its sender told.
    fn abort(&mut self) {
        if let Some(in_hand) = self.in_hand.take() {
            self.reply(in_hand.mtype, in_hand.bytes, in_hand.started, &Err(shutting_down()));
            let mut cx = task::Context::from_waker(task::Waker::noop());
            _ = self.poll_write(&mut cx);
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
struct Known<'a>(&'a Server);

impl Admission for Known<'_> {
    fn max_len(&self, mtype: u8) -> Result<usize, Rejection> {
        let limits = self.0.limits();
        match self.0.routes().byte(mtype) {
            Some(to) => Ok(to.max_len(limits)),
            None if self.0.routes().fallback().is_some() => Ok(limits.max_message.0),
            None => Err(unknown(mtype)),
        }
    }
}

/// What a connection holds of the memory of its server.
struct Memory {
    permits: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
}

impl Memory {
    /// Holds permits for `bytes`, if there are that many; small connections are free.
    fn hold(&mut self, bytes: usize) -> bool {
        let wanted = if bytes <= MAX_OUTPUT { 0 } else { bytes.div_ceil(MEMORY_UNIT) };
        let held = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if wanted <= held {
            if let Some(permit) = &mut self.held {
                drop(permit.split(held - wanted));
            }
            return true;
        }
        let Ok(missing) = u32::try_from(wanted - held) else { return false };
        let Ok(more) = self.permits.clone().try_acquire_many_owned(missing) else { return false };
        match &mut self.held {
            Some(permit) => permit.merge(more),
            None => self.held = Some(more),
        }
        true
    }
}
