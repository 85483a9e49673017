//! What surrounds a message, before anybody asks for it.

use std::cell::{Cell, OnceCell, RefCell};
use std::task::{self, Waker};
use std::time::Instant;

use super::{Context, States};
use crate::link::Scope;
use crate::mtype::Mtype;
use crate::peer::Peer;
use crate::reply::{Handling, Places, Started, Work};

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
    pub(crate) here: Option<Here<'a>>,
    /// Of the handler.
    pub(crate) name: &'static str,
}

/// Where a handler may run at once that need not wait for anything before.
#[derive(Clone, Copy)]
pub(crate) struct Here<'a> {
    pub(crate) waker: &'a Waker,
    /// What it is polled in.
    pub(crate) places: &'a RefCell<Places>,
    /// Its reply goes behind others.
    pub(crate) replies: &'a RefCell<Vec<u8>>,
}

impl Surroundings<'_> {
    pub(crate) fn context(&self) -> &Context {
        self.made.get_or_init(|| {
            let Self { mtype, peer, scope, deadline, states, ref spare, .. } = *self;
            Context::renewed(spare.take(), mtype, peer, scope, deadline, states)
        })
    }

    pub(crate) fn into_context(self) -> Context {
        let Self { mtype, peer, scope, deadline, states, spare, made, .. } = self;
        let renewed = || Context::renewed(spare.into_inner(), mtype, peer, scope, deadline, states);
        made.into_inner().unwrap_or_else(renewed)
    }

    /// Begins with a handler: runs it to its end, if it may run here and need not wait.
    #[inline]
    pub(crate) fn run(&self, handling: impl Handling + 'static) -> Started {
        let Some(here) = &self.here else {
            return Started::Waiting(Work::Future(Box::pin(handling)));
        };
        if let Some(context) = self.made.get() {
            context.begin();
        }
        let (mut places, mut out) = (here.places.borrow_mut(), here.replies.borrow_mut());
        let mut cx = task::Context::from_waker(here.waker);
        places.poll(handling, self.name, &mut cx, &mut out)
    }

    /// For a later message.
    pub(crate) fn into_spare(self) -> Option<Context> {
        self.made.into_inner().or(self.spare.into_inner())
    }
}
