//! A message on its way over one connection, and what its outcome means.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::{Message, Route, Unanswered, Way};
use crate::codec::OwnedBody;
use crate::error::{CallError, Reason, Remote};
use crate::limits;
use crate::link::{Begun, Departure, Link};
use crate::mtype::Mtype;
use crate::reply::{Code, Handled};
use crate::session::native::{Failed, Outcome, Oversize, Refused, Ticket};

/// A message that waits for its outcome on a connection.
#[derive(Clone, Copy)]
pub(super) struct Underway {
    pub(super) ticket: Ticket,
    pub(super) about: About,
}

/// What an outcome is told of.
#[derive(Clone, Copy)]
pub(super) struct About {
    pub(super) mtype: Mtype,
    pub(super) name: &'static str,
    pub(super) way: Way,
}

impl About {
    pub(super) fn ended(self, outcome: Outcome, link: &Link) -> Result<OwnedBody, Unanswered> {
        ended(outcome, self.mtype, self.name, self.way, link.is_only())
    }
}

/// The connection on which messages begin that need not wait for one.
pub(super) fn first(route: &dyn Route) -> &Link {
    let Some(link) = route.first() else { unreachable!("a message has begun there") };
    link
}

/// Puts a message on its way; its time runs from now on.
pub(super) fn begin_on(
    link: &Link,
    message: &Message,
    timeout: Duration,
    waker: Option<&Waker>,
) -> Result<(Begun, About), Reason> {
    let now = Instant::now();
    let &Message { mtype, name, way, .. } = message;
    let scope = message.scope.as_deref().copied();
    if link.differs(mtype) {
        return Err(Reason::SchemaMismatch { mtype, name });
    }
    let own = limits::end(now, timeout);
    let inherited = scope.and_then(|scope| scope.deadline);
    let deadline = Some(inherited.map_or(own, |inherited| own.min(inherited)));
    let departure = Departure { mtype, body: message.body.body(), deadline, scope };
    let begun = match way {
        Way::Call => link.call(departure, now, waker),
        Way::Notify => link.notify(departure, now, waker),
    };
    Ok((begun, About { mtype, name, way }))
}

pub(super) fn poll_outcome(link: &Link, ticket: Ticket, cx: &mut Context<'_>) -> Poll<Outcome> {
    match link.poll_outcome(ticket, cx) {
        // The reply belongs to the process that sent the message.
        Poll::Pending if link.is_forked() => Poll::Ready(LOST),
        polled => polled,
    }
}

/// Nobody waits for it any more.
pub(super) fn give_up(link: &Link, ticket: Ticket) {
    if !link.is_forked() {
        link.abandon(ticket, Instant::now());
    }
}

/// A message under way, with its connection; dropping it gives it up.
pub(crate) struct Called {
    link: Arc<Link>,
    stage: Begun,
    about: About,
}

impl Called {
    /// Puts a message on its way; its time runs from now on.
    pub(crate) fn begin(
        link: Arc<Link>,
        message: &Message,
        timeout: Duration,
    ) -> Result<Self, Reason> {
        if link.is_forked() {
            return Err(Reason::Forked);
        }
        let (stage, about) = begin_on(&link, message, timeout, None)?;
        Ok(Self { link, stage, about })
    }
}

impl Future for Called {
    type Output = Result<OwnedBody, Unanswered>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { link, stage, about } = &mut *self;
        let outcome = match std::mem::replace(stage, Begun::Over(LOST)) {
            Begun::Over(outcome) => outcome,
            Begun::Waiting(ticket) => match poll_outcome(link, ticket, cx) {
                Poll::Ready(outcome) => outcome,
                Poll::Pending => {
                    *stage = Begun::Waiting(ticket);
                    return Poll::Pending;
                }
            },
        };
        Poll::Ready(about.ended(outcome, link))
    }
}

impl Drop for Called {
    fn drop(&mut self) {
        if let Begun::Waiting(ticket) = self.stage {
            give_up(&self.link, ticket);
        }
    }
}

pub(super) const LOST: Outcome = Outcome::Lost { sent: true };

/// What the outcome of a message means to its sender; `is_only` if that has no other connection.
pub(crate) fn ended(
    outcome: Outcome,
    mtype: Mtype,
    name: &'static str,
    way: Way,
    is_only: bool,
) -> Result<OwnedBody, Unanswered> {
    let here = match outcome {
        Outcome::Reply(body) => return Ok(body),
        Outcome::Sent | Outcome::Flushed => return Ok(OwnedBody::default()),
        Outcome::Failed(failed) => {
            let Failed { code, handled, text, detail } = *failed;
            let code = Code::from_number(code);
            if code != Code::SchemaMismatch {
                let handled = Handled::from_number(handled).unwrap_or(Handled::Maybe);
                let remote = Remote::from_native(code, handled, text);
                return Err(Unanswered::There(remote, detail));
            }
            CallError::NotSent(Reason::SchemaMismatch { mtype, name })
        }
        Outcome::Late { .. } if way == Way::Notify => CallError::NotSent(Reason::SlowPeer),
        Outcome::Late { sent } => CallError::Deadline { sent },
        Outcome::Lost { sent: true } => CallError::ConnectionLost,
        Outcome::Lost { sent: false } | Outcome::Refused(Refused::ShuttingDown) if is_only => {
            CallError::NotSent(Reason::Gone)
        }
        Outcome::Lost { sent: false } => CallError::NotSent(Reason::Disconnected),
        Outcome::Refused(refused) => CallError::NotSent(match refused {
            Refused::TooLarge(oversize) => {
                let Oversize { size, limit } = *oversize;
                let [size, limit] =
                    [size, limit].map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
                Reason::TooLarge { size, limit }
            }
            Refused::TooDeep => Reason::TooDeep,
            Refused::ShuttingDown => Reason::ShuttingDown,
            Refused::Passive => Reason::NotSupported(PASSIVE),
        }),
    };
    Err(Unanswered::Here(here))
}

const PASSIVE: &str = "the peer is a blocking client, which takes no messages";
