//! What surrounds a message, before anybody asks for it.

use std::cell::{Cell, OnceCell};
use std::time::Instant;

use super::{Context, States};
use crate::link::Scope;
use crate::mtype::Mtype;
use crate::peer::Peer;
use crate::protocol::ProtocolEntry;
use crate::reply::Start;
use crate::session::native::RequestKey;
use crate::wire::native::Trace;

/// What is said of a message besides its body.
#[derive(Clone, Copy)]
pub(crate) struct Envelope<'a> {
    /// The number of its type, and the type if it is known.
    pub(crate) number: u32,
    pub(crate) known: Option<&'static ProtocolEntry>,
    /// Until when its handler may take.
    pub(crate) deadline: Instant,
    /// It came over the native wire, on which its sender can be sent messages.
    pub(crate) native: bool,
    /// The call it is, to which messages to its sender belong.
    pub(crate) request: Option<RequestKey>,
    pub(crate) trace: Option<&'a Trace>,
}

impl Envelope<'_> {
    pub(crate) fn mtype(&self) -> Mtype {
        self.known.map_or(Mtype::from_number(self.number), |known| known.mtype)
    }

    fn scope(&self) -> Option<Scope> {
        let &Self { deadline, native, request, trace, .. } = self;
        let deadline = request.map(|_| deadline);
        native.then(|| Scope { request, deadline, trace: trace.copied() })
    }
}

/// Makes the [`Context`] of a message when an argument of its handler needs it, or when its handler
/// waits: most do neither.
#[doc(hidden)]
pub struct Surroundings<'a> {
    pub(crate) envelope: Envelope<'a>,
    pub(crate) peer: &'a Peer,
    pub(crate) states: &'a States,
    /// What surrounded an earlier message.
    pub(crate) spare: &'a Cell<Option<Context>>,
    pub(crate) made: OnceCell<Context>,
    pub(crate) start: Start<'a>,
}

impl Surroundings<'_> {
    pub(crate) fn context(&self) -> &Context {
        self.made.get_or_init(|| self.make())
    }

    pub(crate) fn take_context(&mut self) -> Context {
        self.made.take().unwrap_or_else(|| self.make())
    }

    fn make(&self) -> Context {
        let Self { peer, states, spare, .. } = self;
        let (mtype, scope) = (self.envelope.mtype(), self.envelope.scope());
        Context::renewed(spare.take(), mtype, peer, scope, self.envelope.deadline, states)
    }

    /// Leaves what was made for a later message.
    #[inline]
    pub(crate) fn end(&mut self) {
        if let Some(made) = self.made.take() {
            self.spare.set(Some(made));
        }
    }
}
