//! Handlers as registered at link time, and how one of them is run on a message.
//!
//! Everything here but [`Unrouted`] is called by the expansion of `#[handler]` only. Each bound is
//! asked for in one function, so that a fault gives one compiler error: `a_message` asks whether the
//! first argument is a message, `an_extractor` whether another one can be extracted, `with_output_of`
//! whether the return type fits.

mod requests;

use std::any::TypeId;
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;

use bytes::Bytes;

pub use requests::Requests;
pub(crate) use requests::{Single, Source};

use crate::codec::{Body, BodyMut, Codec, DecodeError, DecodeLimits, EncodeError};
use crate::context::{Context, FromContext, StateType, Surroundings};
use crate::mtype::Mtype;
use crate::protocol::{Once, Protocol, Shape};
use crate::reply::{Answer, Rejection, Started};

/// A message that no handler takes: what a `#[handler(fallback)]` gets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unrouted {
    /// Which message it is. Of one that has a name, and that this program has no type for, it is
    /// known by its number only.
    pub mtype: Mtype,
    /// Its bytes, as they came.
    pub body: Bytes,
}

/// The message of a handler: how to read it and how to write what comes back.
#[doc(hidden)]
pub struct Message<M, T, E, S> {
    route: Route,
    name: fn() -> &'static str,
    read: fn(Request<'_>) -> Result<M, DecodeError>,
    answer: Answer<M, T, E>,
    shape: PhantomData<fn() -> S>,
}

impl Unrouted {
    /// What a fallback would get: for its tests.
    ///
    /// ```
    /// let message = dip::Unrouted::new(b'Z', "body");
    /// assert_eq!(message.mtype, dip::Mtype::byte(b'Z'));
    /// ```
    pub fn new(mtype: impl Into<Mtype>, body: impl Into<Bytes>) -> Self {
        Self { mtype: mtype.into(), body: body.into() }
    }
}

/// Which messages come to a handler.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Route {
    /// Those of one type.
    One(Mtype),
    /// All built-in ones that have no handler of their own, and the custom ones likewise.
    Any,
    /// Those that nobody else takes.
    Fallback,
}

/// The only place that asks whether a type is a message.
#[doc(hidden)]
pub const fn a_message<M, T, E, S>() -> Message<M, T, E, S>
where
    M: Routed<Reply = T, Error = E, Shape = S>,
    S: Shape,
{
    Message {
        route: M::ROUTE,
        name: std::any::type_name::<M>,
        read: M::read,
        answer: Answer { reply: M::write_reply, rejection: M::rejection, message: PhantomData },
        shape: PhantomData,
    }
}

/// The message of a fallback.
#[doc(hidden)]
pub const fn any_message<M, T, E, S>() -> Message<M, T, E, S>
where
    M: Unroutable<Reply = T, Error = E, Shape = S>,
    S: Shape,
{
    Message {
        route: Route::Fallback,
        name: std::any::type_name::<M>,
        read: M::take,
        answer: Answer {
            reply: |_, _| Ok(()),
            rejection: |error| M::never(error),
            message: PhantomData,
        },
        shape: PhantomData,
    }
}

/// What a handler can take as its message: each [`Protocol`], and `builtin::Any`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message",
    label = "the first argument of a handler is its message",
    note = "a message is a type with `#[derive(dip::Protocol)]` and `#[mtype(b'N')]`; `dip::Unrouted` is what a `#[handler(fallback)]` takes"
)]
pub trait Routed: Sized + Send + 'static {
    const ROUTE: Route;
    type Reply: Send + 'static;
    type Error;
    type Shape: Shape;
    fn read(request: Request<'_>) -> Result<Self, DecodeError>;
    fn write_reply(reply: &Self::Reply, body: &mut BodyMut<'_>) -> Result<(), EncodeError>;
    fn rejection(error: Self::Error) -> Rejection;
}

#[diagnostic::do_not_recommend]
impl<M: Protocol> Routed for M {
    const ROUTE: Route = Route::One(M::MTYPE);
    type Reply = M::Reply;
    type Error = M::Error;
    type Shape = M::Shape;

    fn read(request: Request<'_>) -> Result<Self, DecodeError> {
        M::decode(request.body, request.limits)
    }

    #[inline(always)]
    fn write_reply(reply: &M::Reply, body: &mut BodyMut<'_>) -> Result<(), EncodeError> {
        M::ReplyCodec::encode(reply, body)
    }

    fn rejection(error: M::Error) -> Rejection {
        Rejection::app(&error)
    }
}

/// What a fallback can take: [`Unrouted`].
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a fallback takes `dip::Unrouted`, not `{Self}`",
    label = "expected `dip::Unrouted`"
)]
pub trait Unroutable: Sized + Send + 'static {
    type Reply;
    type Error;
    type Shape: Shape;
    fn take(request: Request<'_>) -> Result<Self, DecodeError>;
    fn never(error: Self::Error) -> Rejection;
}

#[diagnostic::do_not_recommend]
impl Unroutable for Unrouted {
    type Reply = ();
    type Error = crate::NoError;
    type Shape = Once;

    fn take(request: Request<'_>) -> Result<Self, DecodeError> {
        Ok(Self { mtype: request.around.envelope.mtype(), body: request.body.into_bytes() })
    }

    fn never(error: crate::NoError) -> Rejection {
        match error {}
    }
}

/// A message as it arrived, and what surrounds it.
#[doc(hidden)]
pub struct Request<'a> {
    pub(crate) body: Body<'a>,
    pub(crate) limits: &'a DecodeLimits,
    pub(crate) around: &'a Surroundings<'a>,
}

impl<'a> Request<'a> {
    /// Takes the message apart: the value, how to answer it, what surrounds it.
    #[expect(clippy::type_complexity, reason = "the expansion destructures it at once")]
    #[expect(clippy::needless_pass_by_value, reason = "the expansion makes it in place")]
    pub fn decode<M, T, E, S: Shape>(
        self,
        message: Message<M, T, E, S>,
    ) -> Result<(M, S::Reply<'a, M, T, E>, &'a Surroundings<'a>), Rejection> {
        let around = self.around;
        let value = (message.read)(self).map_err(|error| Rejection::from_decode(&error))?;
        Ok((value, (message.answer, around.start).into(), around))
    }
}

/// An argument of a handler behind its message.
#[doc(hidden)]
pub struct Argument<A> {
    pub needs: &'static [StateType],
    extract: fn(&Context) -> Result<A, Rejection>,
}

/// The only place that asks whether a type is an extractor.
#[doc(hidden)]
pub const fn an_extractor<A: FromContext>() -> Argument<A> {
    Argument { needs: A::NEEDS, extract: A::from_context }
}

impl<A> Argument<A> {
    pub fn extract(&self, around: &Surroundings<'_>) -> Result<A, Rejection> {
        (self.extract)(around.context())
    }
}

/// Which handlers wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// Those of messages that came over one connection.
    Connection,
    /// Those of messages from connections that claim one client id.
    Client,
    /// All: what the Python package does.
    Server,
}

/// When a message is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum Ack {
    /// When its handler has returned `Ok`.
    #[default]
    Handled,
    /// When it is decoded and queued for its handler: for telemetry.
    Received,
}

/// The reply of a message that can be acknowledged before it is handled: `()`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a message that replies `{Self}` can't be acknowledged before it is handled",
    label = "remove `ack = \"received\"`, or the message's `reply`"
)]
pub trait Acknowledgement {}

#[diagnostic::do_not_recommend]
impl Acknowledgement for () {}

/// A handler as registered at link time: what `#[handler]` submits.
pub struct HandlerEntry {
    pub(crate) name: &'static str,
    pub(crate) route: Route,
    pub(crate) message: fn() -> &'static str,
    pub(crate) function: fn() -> TypeId,
    pub(crate) needs: &'static [&'static [StateType]],
    pub(crate) start: fn(&mut Requests<'_>),
    pub(crate) group: Option<&'static str>,
    pub(crate) order: Option<Order>,
    pub(crate) ack: Ack,
    /// It is a task of its own from the start.
    pub(crate) spawn: bool,
    /// It is stopped when nobody waits for its reply any more.
    pub(crate) cancel: bool,
    pub(crate) at: &'static Location<'static>,
}

#[doc(hidden)]
impl HandlerEntry {
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "the expansion makes it in place")]
    pub const fn new<M, T, E, S, F: 'static>(
        name: &'static str,
        _function: &F,
        message: Message<M, T, E, S>,
        needs: &'static [&'static [StateType]],
        start: fn(&mut Requests<'_>),
    ) -> Self {
        Self {
            name,
            route: message.route,
            message: message.name,
            function: TypeId::of::<F>,
            needs,
            start,
            group: None,
            order: None,
            ack: Ack::Handled,
            spawn: false,
            cancel: true,
            at: Location::caller(),
        }
    }

    /// Whether it waits for nothing before it begins.
    pub(crate) fn is_plain(&self) -> bool {
        self.order.is_none() && self.ack == Ack::Handled
    }

    /// Begins to handle one message.
    pub(crate) fn start(&'static self, request: Request<'_>) -> Result<Started, Rejection> {
        let mut single = Single::of(request);
        (self.start)(&mut Requests::new(&mut single, self.name));
        single.into_started().unwrap_or_else(|| Err(Rejection::withdrawn()))
    }

    /// Begins to handle all messages that `source` has.
    pub(crate) fn start_all(&'static self, source: &mut dyn Source) {
        (self.start)(&mut Requests::new(source, self.name));
    }

    pub const fn spawn(self) -> Self {
        Self { spawn: true, ..self }
    }

    pub const fn no_cancel(self) -> Self {
        Self { cancel: false, ..self }
    }

    pub const fn ordered(self, order: Order) -> Self {
        Self { order: Some(order), ..self }
    }

    /// The message says that there is no reply to wait for.
    pub const fn acknowledged_when_received<M, T: Acknowledgement, E, S>(
        self,
        _message: Message<M, T, E, S>,
    ) -> Self {
        Self { ack: Ack::Received, ..self }
    }

    pub const fn group(self, group: &'static str) -> Self {
        Self { group: Some(group), ..self }
    }
}

impl fmt::Debug for HandlerEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HandlerEntry({} for {:?} at {})", self.name, self.route, self.at)
    }
}

inventory::collect!(HandlerEntry);
