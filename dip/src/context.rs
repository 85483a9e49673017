//! What surrounds a message, and how a handler asks for it.

mod progress;
mod surroundings;

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) use self::progress::{GivenUp, Progress};
pub(crate) use self::surroundings::{Envelope, Surroundings};
use crate::link::Scope;
use crate::mtype::Mtype;
use crate::peer::Peer;
use crate::reply::Rejection;
use crate::wire::native::Trace;

/// What a handler may take besides its message.
///
/// dip implements it for [`State<T>`], [`Peer`], [`Context`] and [`Server`](crate::Server); users
/// for their own types:
///
/// ```
/// use dip::{Context, FromContext, Rejection};
///
/// struct Uid(u32);
///
/// impl FromContext for Uid {
///     fn from_context(context: &Context) -> Result<Self, Rejection> {
///         let uid = context.peer().uid();
///         uid.map(Uid).ok_or_else(|| Rejection::named("PermissionError", "no uid over TCP"))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a handler can't take `{Self}` as an argument",
    label = "not an extractor",
    note = "for shared state write `State(name): State<{Self}>`; other extractors are `Peer`, `Context` and types that implement `dip::FromContext`"
)]
pub trait FromContext: Sized + Send + 'static {
    /// The state that must be given to the server; a wrapper writes `= State::<Db>::NEEDS`.
    const NEEDS: &'static [StateType] = &[];

    /// Takes the value out of the context.
    ///
    /// # Errors
    ///
    /// A rejection is the reply to the message; its handler does not run.
    fn from_context(context: &Context) -> Result<Self, Rejection>;
}

/// A type of state that a handler needs: a wrapper around [`State`] hands on the need.
#[derive(Clone, Copy)]
pub struct StateType {
    pub(crate) id: fn() -> TypeId,
    pub(crate) name: fn() -> &'static str,
}

impl StateType {
    /// The need for a `State<T>`.
    pub const fn of<T: 'static>() -> Self {
        Self { id: TypeId::of::<T>, name: type_name::<T> }
    }
}

impl fmt::Debug for StateType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateType({})", (self.name)())
    }
}

/// State shared by all handlers: what `state = value` gave to the server, cloned for each message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State<T>(pub T);

impl<T> std::ops::Deref for State<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone + Send + Sync + 'static> FromContext for State<T> {
    const NEEDS: &'static [StateType] = &[StateType::of::<T>()];

    fn from_context(context: &Context) -> Result<Self, Rejection> {
        context.state().map(State).ok_or_else(|| {
            // Start-up checks NEEDS; only an extractor that forgot its NEEDS comes here.
            Rejection::named("RuntimeError", format!("no state {} was given", type_name::<T>()))
        })
    }
}

impl FromContext for Peer {
    fn from_context(context: &Context) -> Result<Self, Rejection> {
        Ok(context.peer().clone())
    }
}

impl FromContext for Context {
    fn from_context(context: &Context) -> Result<Self, Rejection> {
        Ok(context.clone())
    }
}

/// What surrounds one message: who sent it, under which type, until when an answer makes sense.
#[derive(Clone)]
pub struct Context(Arc<Inner>);

struct Inner {
    mtype: Mtype,
    peer: Peer,
    deadline: Instant,
    trace: Option<Trace>,
    states: States,
    progress: Progress,
}

/// What can be used on behalf of a handler: it then has no more time than the handler.
pub trait Scoped: sealed::Sealed + Sized {
    #[doc(hidden)]
    fn within(&self, scope: Within) -> Self;
}

/// What a scope hands on.
#[doc(hidden)]
#[derive(Debug)]
pub struct Within(pub(crate) Scope);

pub(crate) mod sealed {
    pub trait Sealed {}
}

impl sealed::Sealed for Peer {}

impl Scoped for Peer {
    fn within(&self, scope: Within) -> Self {
        self.within(scope.0)
    }
}

impl Context {
    pub(crate) fn new(
        mtype: Mtype,
        peer: Peer,
        deadline: Instant,
        trace: Option<Trace>,
        states: States,
    ) -> Self {
        let progress = Progress::default();
        Self(Arc::new(Inner { mtype, peer, deadline, trace, states, progress }))
    }

    /// What surrounds a message: in the same memory as an earlier one, unless somebody has kept that.
    pub(crate) fn renewed(
        spare: Option<Self>,
        mtype: Mtype,
        peer: &Peer,
        scope: Option<Scope>,
        deadline: Instant,
        states: &States,
    ) -> Self {
        let trace = scope.and_then(|scope| scope.trace);
        if let Some(mut spare) = spare
            && let Some(inner) = Arc::get_mut(&mut spare.0)
        {
            inner.peer.become_that(peer, scope);
            (inner.mtype, inner.deadline, inner.trace) = (mtype, deadline, trace);
            inner.progress = Progress::default();
            return spare;
        }
        let mut scoped = peer.clone();
        scoped.become_that(peer, scope);
        Self::new(mtype, scoped, deadline, trace, states.clone())
    }

    /// What surrounds a message of this type from this peer, without any state and with a minute
    /// left: for tests that call handlers and extractors themselves.
    ///
    /// ```
    /// use dip::{Context, Peer};
    ///
    /// let context = Context::for_tests(b'N', Peer::of_this_process(None));
    /// assert!(context.extract::<Peer>().is_ok());
    /// ```
    pub fn for_tests(mtype: impl Into<Mtype>, peer: Peer) -> Self {
        let deadline = Instant::now() + Duration::from_secs(60);
        Self::new(mtype.into(), peer, deadline, None, States::default())
    }

    /// Which message this is.
    pub fn mtype(&self) -> Mtype {
        self.0.mtype
    }

    /// Who sent it.
    pub fn peer(&self) -> &Peer {
        &self.0.peer
    }

    /// When the handler is stopped and the sender told so. A blocking handler cannot be stopped; it
    /// runs on unheard. One whose message was acknowledged when it was received, and that had to
    /// wait for others, may run longer.
    pub fn deadline(&self) -> Instant {
        self.0.deadline
    }

    /// Whether nobody waits for the reply any more: its caller has given up or is gone, or its time is
    /// over. Most handlers never see it, as they are dropped then; it is for those that cannot be,
    /// `blocking` and `no_cancel` ones.
    pub fn is_cancelled(&self) -> bool {
        self.0.progress.given_up().is_some()
    }

    /// Waits until nobody waits for the reply any more.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped loses nothing.
    pub async fn cancelled(&self) {
        self.0.progress.told().await;
    }

    pub(crate) fn progress(&self) -> &Progress {
        &self.0.progress
    }

    /// The handler is about to run; `false` if it is not to any more.
    pub(crate) fn begin(&self) -> bool {
        let alone = Arc::strong_count(&self.0) == 1;
        if alone { self.0.progress.begin_alone() } else { self.0.progress.begin() }
    }

    /// The same client or peer, for messages that are sent on behalf of this one: they have no more
    /// time than its handler has, and carry on its trace. The [`Peer`] that a handler takes is in
    /// scope already.
    pub fn scope<C: Scoped>(&self, client: &C) -> C {
        let Inner { deadline, trace, .. } = &*self.0;
        let scope = Scope { request: None, deadline: Some(*deadline), trace: *trace };
        client.within(Within(scope))
    }

    /// Asks for a value as a handler's argument would: for extractors made of others.
    ///
    /// # Errors
    ///
    /// Those of the extractor.
    pub fn extract<T: FromContext>(&self) -> Result<T, Rejection> {
        T::from_context(self)
    }

    pub(crate) fn state<T: Clone + 'static>(&self) -> Option<T> {
        self.0.states.get()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("mtype", &self.0.mtype)
            .field("peer", &self.0.peer)
            .finish_non_exhaustive()
    }
}

/// The state given to a server, one value a type.
#[derive(Clone, Default)]
pub(crate) struct States(Arc<HashMap<TypeId, Box<dyn Any + Send + Sync>>>);

impl States {
    /// Adds a value; hands back `false` when one of this type was there.
    pub(crate) fn insert<T: Send + Sync + 'static>(&mut self, value: T) -> bool {
        let states = Arc::get_mut(&mut self.0);
        // Nobody shares the map before the server starts.
        states.is_some_and(|states| states.insert(TypeId::of::<T>(), Box::new(value)).is_none())
    }

    pub(crate) fn has(&self, id: TypeId) -> bool {
        self.0.contains_key(&id)
    }

    fn get<T: Clone + 'static>(&self) -> Option<T> {
        self.0.get(&TypeId::of::<T>())?.downcast_ref::<T>().cloned()
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "States({})", self.0.len())
    }
}
