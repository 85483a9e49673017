//! What wakes a connection besides its socket and its callers: time, and the stages of its server.
//!
//! These are looked at when they have rung, not each time the connection is polled: most polls are
//! about a message, and asking three futures costs more than handling one.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

use crate::service::{Service, Stage};

/// What has rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alarm {
    Time,
    /// The server begins nothing any more.
    Draining,
    /// The server waits no longer.
    Closed,
}

/// The alarms of one connection.
pub(super) struct Alarms {
    bell: Arc<Bell>,
    /// The bell, as those see it who ring it.
    rings: Waker,
    /// Whom the bell wakes.
    sleeper: Waker,
    draining: Option<Reached>,
    closed: Option<Reached>,
    timer: Pin<Box<Sleep>>,
}

type Reached = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Alarms {
    pub(super) fn new(service: &Service) -> Self {
        let reached = |stage| -> Option<Reached> {
            let mut stages = service.stage();
            Some(Box::pin(async move { _ = stages.wait_for(|now| *now >= stage).await }))
        };
        let bell = Arc::new(Bell { rung: true.into(), sleeper: Mutex::new(Waker::noop().clone()) });
        Self {
            rings: bell.clone().into(),
            sleeper: Waker::noop().clone(),
            bell,
            draining: reached(Stage::Draining),
            closed: reached(Stage::Closed),
            timer: Box::pin(tokio::time::sleep(FAR)),
        }
    }

    /// Rings at this time or before. It is moved forward only: to move it for each message costs more
    /// than a ring for nothing now and then.
    pub(super) fn set(&mut self, due: Option<Instant>) {
        if due.is_some_and(|due| due < self.timer.deadline().into_std()) {
            self.move_to(due);
        }
    }

    fn move_to(&mut self, due: Option<Instant>) {
        let due = due.unwrap_or_else(|| Instant::now() + FAR);
        self.timer.as_mut().reset(due.into());
        if self.timer.as_mut().poll(&mut Context::from_waker(&self.rings)).is_ready() {
            self.bell.rung.store(true, Release);
        }
    }

    pub(super) fn has_rung(&self) -> bool {
        self.bell.rung.load(Acquire)
    }

    /// What has rung since it was last asked; if nothing has, whoever polls is woken by the next ring.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Option<Alarm> {
        if !self.sleeper.will_wake(cx.waker()) {
            self.sleeper.clone_from(cx.waker());
            self.bell.wakes(cx.waker());
        }
        if !self.has_rung() || !self.bell.rung.swap(false, AcqRel) {
            return None;
        }
        let cx = &mut Context::from_waker(&self.rings);
        for (stage, alarm) in
            [(&mut self.closed, Alarm::Closed), (&mut self.draining, Alarm::Draining)]
        {
            if stage.as_mut().is_some_and(|stage| stage.as_mut().poll(cx).is_ready()) {
                *stage = None;
                // Others may have rung as well.
                self.bell.rung.store(true, Release);
                return Some(alarm);
            }
        }
        match self.timer.as_mut().poll(cx) {
            Poll::Ready(()) => {
                self.move_to(None);
                Some(Alarm::Time)
            }
            Poll::Pending => None,
        }
    }
}

/// A time in which something else will have happened.
const FAR: Duration = Duration::from_secs(24 * 3600);

/// Remembers that something has happened, and wakes the connection.
struct Bell {
    rung: AtomicBool,
    sleeper: Mutex<Waker>,
}

impl Bell {
    fn wakes(&self, waker: &Waker) {
        let mut sleeper = self.sleeper.lock().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *sleeper, waker.clone());
        drop(sleeper);
        // A waker may run code of its own when it is dropped.
        drop(old);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Release);
        let sleeper = self.sleeper.lock().unwrap_or_else(PoisonError::into_inner).clone();
        sleeper.wake();
    }
}
