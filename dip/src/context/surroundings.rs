//! What surrounds a message, before anybody asks for it.

use std::cell::{Cell, OnceCell, RefCell};
use std::task::{self, Waker};

use super::{Context, States};
use crate::dispatch::Arrival;
use crate::peer::Peer;
use crate::reply::{Handling, Places, Started, Work};

/// Makes the [`Context`] of a message when an argument of its handler needs it, or when its handler
/// waits: most do neither.
#[doc(hidden)]
pub struct Surroundings<'a> {
    pub(crate) arrival: &'a Arrival<'a>,
    pub(crate) peer: &'a Peer,
    pub(crate) states: &'a States,
    /// What surrounded an earlier message.
    pub(crate) spare: &'a Cell<Option<Context>>,
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
        self.made.get_or_init(|| self.make())
    }

    pub(crate) fn into_context(mut self) -> Context {
        self.made.take().unwrap_or_else(|| self.make())
    }

    fn make(&self) -> Context {
        let Self { peer, states, spare, .. } = self;
        let &Arrival { mtype, scope, deadline, .. } = self.arrival;
        Context::renewed(spare.take(), mtype, peer, scope, deadline, states)
    }

    /// Leaves what was made for a later message.
    pub(crate) fn end(self) {
        if let Some(made) = self.made.into_inner() {
            self.spare.set(Some(made));
        }
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
}
