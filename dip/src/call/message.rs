//! A message as it is encoded, before it is known how it travels.

use std::ops::Deref;
use std::time::Duration;

use crate::buffer::Buffer;
use crate::codec::{Body, BodyMut, EncodeError, OwnedBody, Room, Short};
use crate::error::Reason;
use crate::link::Scope;
use crate::mtype::Mtype;
use crate::protocol::Protocol;

/// A message and what its sender wants of it.
#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) mtype: Mtype,
    /// The name of its type, for errors.
    pub(crate) name: &'static str,
    pub(crate) body: OwnedBody,
    pub(crate) way: Way,
    /// Its reply is `()`: the classic wire can carry it.
    pub(crate) acknowledged: bool,
    pub(crate) timeout: Option<Duration>,
    /// Few messages are sent on behalf of a handler.
    pub(crate) scope: Option<Box<Scope>>,
}

/// Whether an answer is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Call,
    Notify,
}

impl Message {
    /// Encodes a message.
    pub(crate) fn of<M: Protocol>(
        message: &M,
        way: Way,
        scope: Option<Scope>,
    ) -> Result<Self, Reason> {
        Ok(Self {
            name: std::any::type_name::<M>(),
            way,
            acknowledged: std::any::TypeId::of::<M::Reply>() == std::any::TypeId::of::<()>(),
            timeout: M::DEADLINE,
            scope: scope.map(Box::new),
            ..Self::encode(M::MTYPE, M::MAX_LEN, |body| message.encode(body))?
        })
    }

    /// A message that is only acknowledged, with the body that `encode` writes.
    pub(crate) fn encode(
        mtype: Mtype,
        limit: Option<u32>,
        encode: impl FnOnce(&mut BodyMut<'_>) -> Result<(), EncodeError>,
    ) -> Result<Self, Reason> {
        Ok(Self::raw(mtype, encoded(limit, encode)?))
    }

    /// A message that is only acknowledged, with this body.
    pub(crate) fn raw(mtype: Mtype, body: impl Into<OwnedBody>) -> Self {
        Self {
            mtype,
            name: "",
            body: body.into(),
            way: Way::Call,
            acknowledged: true,
            timeout: None,
            scope: None,
        }
    }
}

/// What `encode` writes.
#[inline]
pub(super) fn encoded(
    limit: Option<u32>,
    encode: impl FnOnce(&mut BodyMut<'_>) -> Result<(), EncodeError>,
) -> Result<OwnedBody, Reason> {
    let limit = in_memory(limit.unwrap_or(u32::MAX));
    let mut out = Buffer::new();
    let mut body = BodyMut::sharing(&mut out, limit);
    encode(&mut body).map_err(Reason::Encode)?;
    let size = body.len();
    let encoded = body.into_encoded().map_err(|_| Reason::TooLarge { size, limit })?;
    Ok(OwnedBody::new(encoded, out))
}

/// What `encode` writes; in `room` if it is short and its codec can leave it there.
#[inline]
pub(super) fn encoded_in(
    room: &mut Room,
    limit: Option<u32>,
    encode: impl FnOnce(&mut BodyMut<'_>) -> Result<(), EncodeError>,
) -> Result<ShortBody<'_>, Reason> {
    let limit = in_memory(limit.unwrap_or(u32::MAX));
    let mut out = Buffer::default();
    let mut body = BodyMut::short(room, &mut out, limit);
    encode(&mut body).map_err(Reason::Encode)?;
    let size = body.len();
    match body.into_short().map_err(|_| Reason::TooLarge { size, limit })? {
        Short::Stayed(len) => Ok(ShortBody::Here(&room[..len])),
        Short::Elsewhere(encoded) => Ok(ShortBody::Own(OwnedBody::new(encoded, out))),
    }
}

/// A body that is on its own, or in the room of who has encoded it.
pub(super) enum ShortBody<'a> {
    Here(&'a [u8]),
    Own(OwnedBody),
}

impl ShortBody<'_> {
    /// The same bytes; those that are shared are shared once more.
    pub(super) fn body(&self) -> Body<'_> {
        match self {
            Self::Here(bytes) => Body::from(*bytes),
            Self::Own(own) => own.body(),
        }
    }
}

impl Deref for ShortBody<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Here(bytes) => bytes,
            Self::Own(own) => own,
        }
    }
}

/// No body in memory is longer than an address can say.
fn in_memory(len: u32) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}
