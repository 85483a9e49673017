//! What the lock of a link is around: the session, and who waits for what happens in it.

use std::task::Waker;
use std::time::Instant;

use super::watchers::Watchers;
use crate::session::native::{Event, Output, Session, Ticket};

/// What is more than most sockets hold, in bytes.
const LITTLE: usize = 256 << 10;

/// The session and those who wait.
pub(crate) struct State {
    pub(crate) session: Session,
    /// Who waits for an operation, by its slot.
    pub(super) waiting: Vec<Option<Waker>>,
    pub(super) driver: Option<Waker>,
    /// The driver will look before it sleeps: nobody has to wake it.
    pub(super) awake: bool,
    /// Who was woken for an outcome and has not taken it yet.
    pub(super) unclaimed: usize,
    pub(super) ending: Option<Ending>,
    /// Who waits for all outcomes to be there, or for the end.
    pub(super) watching: Watchers,
}

/// How a connection comes to its end from this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// What was put in is written until then; nobody waits for answers.
    Writing(Instant),
    /// At once, as the peer does not take what it is sent.
    Slow,
    /// It has ended.
    Ended,
}

impl State {
    pub(super) fn new(session: Session) -> Self {
        Self {
            session,
            waiting: Vec::new(),
            driver: None,
            awake: false,
            unclaimed: 0,
            ending: None,
            watching: Watchers::default(),
        }
    }

    /// Whom to wake when an operation ends; hands back who stood there before. A waker may run code
    /// of its own when it is dropped.
    pub(super) fn wait(&mut self, ticket: Ticket, waker: &Waker) -> Option<Waker> {
        let slot = ticket.slot();
        if self.waiting.len() <= slot {
            self.waiting.resize_with(slot + 1, || None);
        }
        match &self.waiting[slot] {
            Some(old) if old.will_wake(waker) => None,
            _ => self.waiting[slot].replace(waker.clone()),
        }
    }

    /// The waker of a driver that sleeps.
    pub(super) fn wake(&mut self) -> Option<Waker> {
        if std::mem::replace(&mut self.awake, true) { None } else { self.driver.take() }
    }

    /// The driver runs.
    pub(crate) fn begin_turn(&mut self) {
        self.awake = true;
    }

    /// Takes what there is to write, once all that was taken before is written or little of it is left:
    /// each write is to fill the socket.
    pub(crate) fn take_output(&mut self, output: &mut Output) {
        if output.is_empty() {
            let filled = self.session.output();
            if !filled.is_empty() {
                std::mem::swap(filled, output);
            }
        } else if output.len() < LITTLE && self.session.has_some_to_write() {
            output.append(self.session.output());
        }
    }

    /// Whether callers that were woken are about to run, and may have more to send.
    pub(crate) fn expects_more(&self) -> bool {
        self.unclaimed > 0
    }

    /// The driver is about to sleep.
    pub(crate) fn end_turn(&mut self, waker: &Waker) {
        self.awake = false;
        if !self.driver.as_ref().is_some_and(|driver| driver.will_wake(waker)) {
            self.driver = Some(waker.clone());
        }
    }

    /// What happened: who waited for it is put into `wake`, to be woken without the lock.
    #[inline]
    pub(crate) fn poll_event(&mut self, wake: &mut Vec<Waker>) -> Option<Event> {
        while let Some(ticket) = self.session.poll_woken() {
            if let Some(waker) = self.waiting.get_mut(ticket.slot()).and_then(Option::take) {
                self.unclaimed += 1;
                wake.push(waker);
            }
        }
        self.session.poll_event()
    }

    /// Lets those look who wait for something to be over.
    pub(crate) fn show(&mut self, wake: &mut Vec<Waker>) {
        if !self.watching.is_empty() && (self.session.is_settled() || self.has_ended()) {
            wake.extend(self.watching.take());
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ending == Some(Ending::Ended)
    }

    pub(crate) fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// Nothing goes in or out any more: all that waited learns it.
    pub(crate) fn ended(&mut self, wake: &mut Vec<Waker>) {
        self.ending = Some(Ending::Ended);
        self.session.lost();
        wake.extend(self.watching.take());
    }
}
