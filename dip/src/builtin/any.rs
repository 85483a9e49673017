//! Any built-in message, for one handler of all of them.

use super::{
    Dict, Header, Json, Pickle, SetConnectionId, Stderr, Stdout, SubtaskError, SubtaskOut,
    TaskUpdate, TaskUpdateV2,
};
use crate::codec::{Body, BodyMut, DecodeError, DecodeLimits, EncodeError};
use crate::handler::{Request, Route, Routed, Unrouted};
use crate::mtype::Mtype;
use crate::protocol::{NoError, Once, Protocol};
use crate::reply::Rejection;

/// Any message: a handler that takes it gets every message, built-in or not, that has no handler of
/// its own; where there is a `#[handler(fallback)]` too, that one gets what is not built in. What is a callback in Python becomes one `match`:
///
/// ```rust,standalone_crate
/// use dip::{builtin::Any, handler};
///
/// #[handler]
/// async fn callback(message: Any) {
///     match message {
///         Any::Stdout(text) => print!("{}", text.0),
///         Any::Json(value) => println!("{:?}", value.0),
///         _ => {}
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Any {
    /// `O`
    Stdout(Stdout),
    /// `E`
    Stderr(Stderr),
    /// `P`
    Pickle(Pickle),
    /// `J`
    Json(Json),
    /// `D`
    Dict(Dict),
    /// `H`
    Header(Header),
    /// `o`
    SubtaskOut(SubtaskOut),
    /// `e`
    SubtaskError(SubtaskError),
    /// `U`
    TaskUpdate(TaskUpdate),
    /// `I`
    TaskUpdateV2(TaskUpdateV2),
    /// `0x1d`; a server takes it itself, so that no handler sees it.
    SetConnectionId(SetConnectionId),
    /// Any other type, as it came.
    Other(Unrouted),
}

impl Any {
    /// Reads a message of any type.
    ///
    /// # Errors
    ///
    /// When the body does not hold a message of its type.
    pub fn decode(
        mtype: Mtype,
        body: Body<'_>,
        limits: &DecodeLimits,
    ) -> Result<Self, DecodeError> {
        Ok(match mtype.as_byte() {
            Some(b'O') => Self::Stdout(Protocol::decode(body, limits)?),
            Some(b'E') => Self::Stderr(Protocol::decode(body, limits)?),
            Some(b'P') => Self::Pickle(Protocol::decode(body, limits)?),
            Some(b'J') => Self::Json(Protocol::decode(body, limits)?),
            Some(b'D') => Self::Dict(Protocol::decode(body, limits)?),
            Some(b'H') => Self::Header(Protocol::decode(body, limits)?),
            Some(b'o') => Self::SubtaskOut(Protocol::decode(body, limits)?),
            Some(b'e') => Self::SubtaskError(Protocol::decode(body, limits)?),
            Some(b'U') => Self::TaskUpdate(Protocol::decode(body, limits)?),
            Some(b'I') => Self::TaskUpdateV2(Protocol::decode(body, limits)?),
            Some(0x1d) => Self::SetConnectionId(Protocol::decode(body, limits)?),
            _ => Self::Other(Unrouted { mtype, body: body.into_bytes() }),
        })
    }
}

#[diagnostic::do_not_recommend]
impl Routed for Any {
    const ROUTE: Route = Route::Any;
    type Reply = ();
    type Error = NoError;
    type Shape = Once;

    fn read(request: Request<'_>) -> Result<Self, DecodeError> {
        Self::decode(request.around.envelope.mtype(), request.body, request.limits)
    }

    fn write_reply((): &(), _: &mut BodyMut<'_>) -> Result<(), EncodeError> {
        Ok(())
    }

    fn rejection(error: NoError) -> Rejection {
        match error {}
    }
}
