//! What surrounds a message, before anybody asks for it.

use std::cell::{Cell, OnceCell};
use std::time::Instant;

use super::{Context, States};
use crate::link::Scope;
use crate::mtype::Mtype;
use crate::peer::Peer;

/// Makes the [`Context`] of a message when an argument of its handler needs it, or when its handler
/// waits: most do neither.
#[doc(hidden)]
pub struct Surroundings<'a> {
    pub(crate) mtype: Mtype,
    pub(crate) peer: &'a Peer,
    pub(crate) scope: Option<Scope>,
    pub(crate) deadline: Instant,
    pub(crate) states: &'a States,
    /// What surrounded an earlier message.
    pub(crate) spare: Cell<Option<Context>>,
    pub(crate) made: OnceCell<Context>,
}

impl Surroundings<'_> {
    pub(crate) fn context(&self) -> &Context {
        self.made.get_or_init(|| {
            let Self { mtype, peer, scope, deadline, states, ref spare, .. } = *self;
            Context::renewed(spare.take(), mtype, peer, scope, deadline, states)
        })
    }

    pub(crate) fn into_context(self) -> Context {
        let Self { mtype, peer, scope, deadline, states, spare, made } = self;
        let renewed = || Context::renewed(spare.into_inner(), mtype, peer, scope, deadline, states);
        made.into_inner().unwrap_or_else(renewed)
    }

    /// For a later message.
    pub(crate) fn into_spare(self) -> Option<Context> {
        self.made.into_inner().or(self.spare.into_inner())
    }
}
