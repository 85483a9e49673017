//! One-way messages that are sent now or not at all.

use std::any::type_name;
use std::time::Instant;

use super::message::{ShortBody, encoded_in};
use super::{Ready, Route, Unanswered, Way, ended};
use crate::codec::ROOM;
use crate::error::{CallError, Reason};
use crate::link::{Begun, Departure, Link, Scope};
use crate::protocol::{NoError, Protocol};

/// Sends a one-way message if that takes no waiting; `later` says why there is no way without.
pub(crate) fn offer<M: Protocol>(
    route: &dyn Route,
    message: &M,
    scope: Option<&Scope>,
    later: impl FnOnce() -> Reason,
) -> Result<(), CallError<NoError>> {
    let mut room = [0; ROOM];
    let body = match encoded_in(&mut room, M::MAX_LEN, |body| message.encode(body)) {
        Ok(body) => body,
        Err(reason) => return Err(CallError::NotSent(reason)),
    };
    if let Some(link) = route.open()
        && offer_at_once::<M>(link, &body, scope)
    {
        return Ok(());
    }
    match route.ready() {
        Ready::First(link) => offer_on::<M>(link, &body, scope),
        Ready::Other(link) if offer_at_once::<M>(&link, &body, scope) => Ok(()),
        Ready::Other(link) => offer_on::<M>(&link, &body, scope),
        Ready::Refused(reason) => Err(CallError::NotSent(reason)),
        Ready::Later(_) => Err(CallError::NotSent(later())),
    }
}

/// Sends it as most are sent; otherwise nothing has happened.
#[inline]
fn offer_at_once<M: Protocol>(link: &Link, body: &ShortBody<'_>, scope: Option<&Scope>) -> bool {
    scope.is_none() && !link.differs(M::MTYPE) && link.notify_at_once(M::MTYPE, body)
}

fn offer_on<M: Protocol>(
    link: &Link,
    body: &ShortBody<'_>,
    scope: Option<&Scope>,
) -> Result<(), CallError<NoError>> {
    let (mtype, name) = (M::MTYPE, type_name::<M>());
    if link.differs(mtype) {
        return Err(CallError::NotSent(Reason::SchemaMismatch { mtype, name }));
    }
    let scope = scope.copied();
    let departure = |deadline| Departure { mtype, body: body.body(), deadline, scope };
    if link.try_notify(departure(None)) {
        return Ok(());
    }
    // Why not is what becomes of a message whose time is over.
    let now = Instant::now();
    match link.notify(departure(Some(now)), now, None) {
        Begun::Over(outcome) => match ended(outcome, mtype, name, Way::Notify, link.is_only()) {
            Ok(_) => Ok(()),
            Err(Unanswered::Here(error)) => Err(error),
            Err(Unanswered::There(remote, _)) => Err(CallError::Rejected(remote)),
        },
        Begun::Waiting(ticket) => {
            link.abandon(ticket, now);
            Err(CallError::NotSent(Reason::SlowPeer))
        }
    }
}
