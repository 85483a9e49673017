//! What travels back: a reply, the declared error, or a rejection.

mod answer;

use std::borrow::Cow;
use std::fmt;

pub use answer::Running;
pub(crate) use answer::{Answer, OneReply, Outcome, Work};

use crate::codec::{DecodeError, EncodeError};
use crate::mtype::Mtype;

/// "No" for a reason that the message's contract does not declare. The message is refused; what its
/// handler did before stays done.
///
/// Made from any standard error by `?`, from a text by [`Rejection::new`], or with a class of its own
/// by [`Rejection::named`]. The peer is told a class and a
/// text; on the classic wire they are printed as Python prints an exception, `ValueError('text')`,
/// because Python workers match on it.
///
/// ```
/// use dip::Rejection;
///
/// fn parse(text: &str) -> Result<u32, Rejection> {
///     Ok(text.parse()?)
/// }
///
/// assert_eq!(parse("x").unwrap_err().to_string(), "ParseIntError('invalid digit found in string')");
/// assert_eq!(Rejection::named("KeyError", "it's").to_string(), "KeyError(\"it's\")");
/// ```
// No `std::error::Error` here: it would rule out `From<E: Error>`.
#[derive(Clone, PartialEq, Eq)]
pub struct Rejection {
    code: Code,
    class: Cow<'static, str>,
    text: String,
}

/// Why a message was refused: the codes of the native wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u16)]
pub enum Code {
    /// The application's declared error.
    App = 1,
    /// No type is known under the mtype.
    UnknownType = 2,
    /// The type is known, nobody handles it.
    NoHandler = 3,
    /// The body is longer than the receiver accepts.
    TooLarge = 4,
    /// The body does not hold a message of its type.
    Decode = 5,
    /// The two sides know different versions of the type.
    SchemaMismatch = 6,
    /// The receiver has too much to do.
    Overloaded = 7,
    /// The receiver is about to stop, and has not begun with the message.
    ShuttingDown = 8,
    /// The handler took too long.
    Deadline = 9,
    /// The message was given up while it was handled: by its caller, or by a server that stopped.
    Cancelled = 10,
    /// The handler panicked.
    Panicked = 11,
    /// The peer may not do this.
    Denied = 12,
    /// Calls within calls, nested too deep.
    TooDeep = 13,
    /// An ordered call from within its own lane.
    WouldDeadlock = 14,
    /// The handler refused the message.
    Rejected = 15,
    /// The reply is longer than the caller accepts.
    ReplyTooLarge = 16,
    /// The wire cannot do this.
    Unsupported = 17,
}

impl Code {
    /// Whether the handler may have begun when the message was refused.
    pub(crate) fn may_have_run(self) -> bool {
        !matches!(
            self,
            Self::UnknownType
                | Self::NoHandler
                | Self::TooLarge
                | Self::Decode
                | Self::SchemaMismatch
                | Self::Overloaded
                | Self::ShuttingDown
                | Self::Denied
                | Self::TooDeep
                | Self::WouldDeadlock
                | Self::Unsupported
        )
    }
}

impl Rejection {
    /// A rejection in words: an `Exception` to a Python peer.
    ///
    /// ```
    /// assert_eq!(dip::Rejection::new("not today").to_string(), "Exception('not today')");
    /// ```
    pub fn new(text: impl Into<String>) -> Self {
        Self::named(EXCEPTION, text)
    }

    /// A rejection of this class: the name of an exception that the peer's code matches on.
    pub fn named(class: impl Into<Cow<'static, str>>, text: impl Into<String>) -> Self {
        Self { code: Code::Rejected, class: class.into(), text: text.into() }
    }

    pub(crate) fn of(code: Code, class: &'static str, text: impl Into<String>) -> Self {
        Self { code, class: class.into(), text: text.into() }
    }

    /// The answer to a type that nobody knows; the text is that of the Python package.
    pub(crate) fn unknown_type(mtype: u8) -> Self {
        let text = format!("No protocol found in registry for message type: {mtype}");
        Self::of(Code::UnknownType, "UnsupportedProtoError", text)
    }

    /// The answer to a type that nobody handles.
    pub(crate) fn no_handler(mtype: Mtype) -> Self {
        let text = format!("nobody handles messages of type {mtype}");
        Self::of(Code::NoHandler, "UnsupportedProtoError", text)
    }

    /// The name of the error's class, as a Python peer sees it.
    pub fn class(&self) -> &str {
        &self.class
    }

    /// What the peer is told.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Why the message was refused.
    pub fn code(&self) -> Code {
        self.code
    }
}

/// The class of what has no better name.
const EXCEPTION: &str = "Exception";

/// The class is the name of the error's type, that of `E` for a `Box<E>` or an `Arc<E>`; the text is
/// its `Display`.
impl<E: std::error::Error> From<E> for Rejection {
    fn from(error: E) -> Self {
        Self::named(class_of(std::any::type_name::<E>()), error.to_string())
    }
}

/// What a Python peer calls the type of this name.
fn class_of(mut name: &'static str) -> &'static str {
    const POINTERS: [&str; 2] = ["alloc::boxed::Box<", "alloc::sync::Arc<"];
    while let Some(inner) = POINTERS.iter().find_map(|pointer| name.strip_prefix(pointer)) {
        name = inner.strip_suffix('>').unwrap_or(inner);
    }
    if name.starts_with("dyn ") {
        return EXCEPTION;
    }
    let base = name.split('<').next().unwrap_or(name);
    base.rsplit("::").next().unwrap_or(base)
}

impl Rejection {
    pub(crate) fn from_decode(error: &DecodeError) -> Self {
        Self::of(Code::Decode, error.class(), error.text())
    }

    /// The handler has run, but its reply cannot be sent.
    pub(crate) fn from_encode(code: Code, error: &EncodeError) -> Self {
        Self::of(code, error.class(), error.text())
    }
}

/// As Python prints an exception: `ValueError('text')`.
impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.class, crate::wire::classic::Quoted(&self.text))
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rejection({:?}, {self})", self.code)
    }
}

/// What a handler ended with instead of a reply.
#[doc(hidden)]
#[derive(Debug)]
pub enum Failure<E> {
    App(E),
    Rejected(Rejection),
}

/// What a handler of `M` may return: `T`, `Result<T, E>` or `Result<T, Rejection>`.
///
/// `K` tells the three apart and is always inferred; `M` is there for the compiler's message.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a handler of `{M}` can't return `{Self}`",
    label = "expected `{T}` or `Result<{T}, dip::Rejection>`",
    note = "`?` turns any standard error into a `dip::Rejection`; the error that the message declares, `#[protocol(error = …)]`, is returned as it is"
)]
pub trait IntoReply<M, T, E, K> {
    fn into_reply(self) -> Result<T, Failure<E>>;
}

#[doc(hidden)]
#[derive(Debug)]
pub enum Plain {}
#[doc(hidden)]
#[derive(Debug)]
pub enum Fallible {}
#[doc(hidden)]
#[derive(Debug)]
pub enum Refusing {}

/// `Result`, as a bound: with the type itself rustc would list near misses in its message.
#[doc(hidden)]
pub trait IsResult {
    type Ok;
    type Err;
    fn into_result(self) -> Result<Self::Ok, Self::Err>;
}

impl<T, E> IsResult for Result<T, E> {
    type Ok = T;
    type Err = E;
    fn into_result(self) -> Self {
        self
    }
}

impl<T, M, E> IntoReply<M, T, E, Plain> for T {
    fn into_reply(self) -> Result<T, Failure<E>> {
        Ok(self)
    }
}

#[diagnostic::do_not_recommend]
impl<R: IsResult<Ok = T, Err = E>, M, T, E> IntoReply<M, T, E, Fallible> for R {
    fn into_reply(self) -> Result<T, Failure<E>> {
        self.into_result().map_err(Failure::App)
    }
}

#[diagnostic::do_not_recommend]
impl<R: IsResult<Ok = T, Err = Rejection>, M, T, E> IntoReply<M, T, E, Refusing> for R {
    fn into_reply(self) -> Result<T, Failure<E>> {
        self.into_result().map_err(Failure::Rejected)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn error() -> std::num::ParseIntError {
        "x".parse::<u8>().unwrap_err()
    }

    #[test]
    fn the_class_is_the_name_of_the_error_behind_its_pointers() {
        assert_eq!(Rejection::from(error()).class(), "ParseIntError");
        assert_eq!(Rejection::from(Box::new(error())).class(), "ParseIntError");
        assert_eq!(Rejection::from(Arc::new(Box::new(error()))).class(), "ParseIntError");
        let unknown: Arc<dyn std::error::Error + Send> = Arc::new(error());
        assert_eq!(Rejection::from(unknown).class(), "Exception");
        assert_eq!(class_of("a::b::Generic<c::D>"), "Generic");
    }
}
