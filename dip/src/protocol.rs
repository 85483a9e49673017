//! The contract of a message type: which message it is, how its body is written, what comes back.

use std::panic::Location;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{Body, BodyMut, Codec, DecodeError, DecodeLimits, EncodeError};
use crate::mtype::Mtype;
use crate::reply::{Answer, OneReply, Start};
use crate::schema::Schema;

/// A message: a type that travels under an [`Mtype`].
///
/// Derive it; `#[mtype(b'N')]` says which message it is, `#[protocol(...)]` how it travels:
///
/// ```rust,standalone_crate
/// use dip::Protocol;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Protocol)]
/// #[mtype(b'N')]
/// #[protocol(codec = json, max_len = "64 KiB")]
/// struct Note {
///     text: String,
/// }
///
/// assert_eq!(Note::MTYPE, dip::Mtype::byte(b'N'));
/// assert_eq!(Note::MAX_LEN, Some(65_536));
/// ```
///
/// By hand it is an `impl Protocol` and a [`register!`](crate::register).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message",
    label = "not a message",
    note = "a message is a type with `#[derive(dip::Protocol)]` and `#[mtype(b'N')]`"
)]
pub trait Protocol: Sized + Send + 'static {
    /// Which message this is.
    const MTYPE: Mtype;
    /// The longest body that is sent or accepted, in bytes; `None` leaves it to the
    /// [`Limits`](crate::Limits) of the receiver.
    const MAX_LEN: Option<u32> = None;
    /// How long a call may take, unless the call says otherwise.
    const DEADLINE: Option<Duration> = None;
    /// Whether handling the message twice does no harm.
    const IDEMPOTENT: bool = false;
    /// How the body is written.
    type Codec: Codec<Self>;
    /// What a handler of this message replies; `()` is an acknowledgement.
    type Reply: Send + 'static;
    /// The error a handler may reply instead.
    type Error: std::error::Error + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// How the reply is written.
    type ReplyCodec: Codec<Self::Reply>;
    /// Whether one reply comes back, or many.
    type Shape: Shape;

    /// Appends this message to `body`.
    ///
    /// # Errors
    ///
    /// When the codec cannot hold the value.
    #[inline(always)]
    fn encode(&self, body: &mut BodyMut<'_>) -> Result<(), EncodeError> {
        Self::Codec::encode(self, body)
    }

    /// Reads a message; the whole body must be used up.
    ///
    /// # Errors
    ///
    /// When the body does not hold such a message, or one that is over `limits`.
    #[inline(always)]
    fn decode(body: Body<'_>, limits: &DecodeLimits) -> Result<Self, DecodeError> {
        Self::Codec::decode(body, limits)
    }
}

/// A [`Protocol`] whose reply is `()`: what [`Client::send`](crate::Client::send) takes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not only acknowledged: it has a reply",
    label = "use `call` instead of `send`",
    note = "`send` is for messages that reply `()`; `call` returns the reply"
)]
pub trait Acknowledged: Protocol<Reply = ()> {}

#[diagnostic::do_not_recommend]
impl<M: Protocol<Reply = ()>> Acknowledged for M {}

/// How many replies a message has: [`Once`]. Streams will be the second shape.
pub trait Shape: sealed::Sealed + 'static {
    #[doc(hidden)]
    type Reply<'a, M, T, E>: From<(Answer<M, T, E>, Start<'a>)>;
}

mod sealed {
    pub trait Sealed {}
}

/// The [`Shape`] of a message that has one reply.
#[derive(Debug)]
pub enum Once {}

impl sealed::Sealed for Once {}

impl Shape for Once {
    type Reply<'a, M, T, E> = OneReply<'a, M, T, E>;
}

/// The error type of messages that declare none: it has no values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
pub enum NoError {}

impl std::fmt::Display for NoError {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {}
    }
}

impl std::error::Error for NoError {}

/// A message type as registered at link time: what [`register!`](crate::register) and the derive
/// submit.
#[derive(Debug)]
pub struct ProtocolEntry {
    pub(crate) mtype: Mtype,
    pub(crate) name: fn() -> &'static str,
    pub(crate) max_len: Option<u32>,
    pub(crate) replaces: bool,
    /// One of the messages of the Python package.
    pub(crate) builtin: bool,
    /// Decodes and drops: for built-in messages that nobody handles.
    pub(crate) check: fn(Body<'_>, &DecodeLimits) -> Result<(), DecodeError>,
    pub(crate) schema: fn() -> Schema,
    /// Keeps the static that makes duplicates a link error alive wherever the entry is.
    #[expect(dead_code, reason = "it is there to be linked in")]
    pub(crate) claim: Option<&'static Claim>,
    pub(crate) at: &'static Location<'static>,
}

impl ProtocolEntry {
    /// The entry of `M`, declared where this is called.
    #[track_caller]
    pub const fn of<M: Protocol>() -> Self {
        Self {
            mtype: M::MTYPE,
            name: std::any::type_name::<M>,
            max_len: M::MAX_LEN,
            replaces: false,
            builtin: false,
            check: |body, limits| M::decode(body, limits).map(drop),
            schema: Schema::of::<M>,
            claim: None,
            at: Location::caller(),
        }
    }

    /// With the static whose name no second type can export.
    #[doc(hidden)]
    #[must_use]
    pub const fn claimed_by(self, claim: &'static Claim) -> Self {
        Self { claim: Some(claim), ..self }
    }

    pub(crate) const fn builtin(self) -> Self {
        Self { builtin: true, ..self }
    }

    /// Takes over the mtype of a built-in message.
    #[must_use]
    pub const fn replacing_builtin(self) -> Self {
        Self { replaces: true, ..self }
    }
}

inventory::collect!(ProtocolEntry);

/// What the derive exports under a name made of the mtype, so that two types with one mtype do not
/// link.
#[doc(hidden)]
#[derive(Debug)]
pub struct Claim(#[expect(dead_code, reason = "a static without a size might share its place")] u8);

impl Claim {
    pub const NEW: Self = Self(1);
}
