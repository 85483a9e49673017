//! "No" to a message.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Code, Handled};
#[cfg(feature = "bincode")]
use crate::codec::{Bincode, BodyMut, Codec};
use crate::codec::{DecodeError, EncodeError};
use crate::mtype::Mtype;
use crate::wire::classic;

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
pub struct Rejection(Box<Inner>);

/// A rejection is rare, and a result that may be one is passed on often: so it is small.
#[derive(Clone, PartialEq, Eq)]
struct Inner {
    code: Code,
    class: Cow<'static, str>,
    text: String,
    /// The declared error, in bincode; of the code [`Code::App`] only.
    detail: Bytes,
    /// No handler has seen the message, whatever the code alone tells.
    unseen: bool,
}

/// The longest declared error that travels, in bytes.
#[cfg(feature = "bincode")]
const MAX_DETAIL: usize = 64 << 10;

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
        let (code, class, text) = (Code::Rejected, class.into(), text.into());
        Self(Box::new(Inner { code, class, text, detail: Bytes::new(), unseen: false }))
    }

    pub(crate) fn of(code: Code, class: &'static str, text: impl Into<String>) -> Self {
        let mut rejection = Self::named(class, text);
        rejection.0.code = code;
        rejection
    }

    /// The error that the message declares. One that cannot travel as a value, because it does not
    /// encode or is too long, is refused in words like any other.
    pub(crate) fn app<E>(error: &E) -> Self
    where
        E: std::error::Error + Serialize + DeserializeOwned,
    {
        let mut rejection = Self::named(class_of(std::any::type_name::<E>()), error.to_string());
        if let Some(detail) = detail_of(error) {
            (rejection.0.code, rejection.0.detail) = (Code::App, detail);
        }
        rejection
    }

    /// The answer to a type that nobody knows; the text is that of the Python package.
    pub(crate) fn unknown_type(mtype: impl Into<Mtype>) -> Self {
        let mtype = mtype.into();
        let which = mtype.as_byte().map_or_else(|| mtype.to_string(), |byte| byte.to_string());
        let text = format!("No protocol found in registry for message type: {which}");
        Self::of(Code::UnknownType, "UnsupportedProtoError", text)
    }

    /// The answer to a type that nobody handles.
    pub(crate) fn no_handler(mtype: Mtype) -> Self {
        let text = format!("nobody handles messages of type {mtype}");
        Self::of(Code::NoHandler, "UnsupportedProtoError", text)
    }

    /// The answer to a message that was given up before its handler began.
    pub(crate) fn withdrawn() -> Self {
        let text = "it was given up before its handler began";
        Self::of(Code::Cancelled, "CancelledError", text).unseen()
    }

    /// The name of the error's class, as a Python peer sees it.
    pub fn class(&self) -> &str {
        &self.0.class
    }

    /// What the peer is told.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Why the message was refused.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The class and the text as both wires say them, in at most 1 KiB.
    pub(crate) fn text_on_wire(&self) -> String {
        classic::error_text(&self.0.class, &self.0.text)
    }
}

impl Rejection {
    /// The declared error in bincode, empty unless the code is [`Code::App`].
    pub(crate) fn detail(&self) -> &Bytes {
        &self.0.detail
    }

    /// Whether a handler has seen the message.
    pub(crate) fn handled(&self) -> Handled {
        if self.0.unseen { Handled::No } else { self.0.code.handled() }
    }

    /// No handler has seen the message.
    pub(crate) fn unseen(mut self) -> Self {
        self.0.unseen = true;
        self
    }
}

#[cfg(feature = "bincode")]
fn detail_of<E: Serialize + DeserializeOwned>(error: &E) -> Option<Bytes> {
    let mut out = Vec::new();
    let mut body = BodyMut::new(&mut out, MAX_DETAIL);
    Bincode::encode(error, &mut body).and_then(|()| body.finish()).ok()?;
    Some(out.into())
}

#[cfg(not(feature = "bincode"))]
fn detail_of<E>(_: &E) -> Option<Bytes> {
    None
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
        write!(f, "{}({})", self.0.class, classic::Quoted(&self.0.text))
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rejection({:?}, {self})", self.0.code)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};

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

    #[derive(Debug, Serialize, Deserialize)]
    struct Full {
        room: u8,
        text: String,
    }

    impl fmt::Display for Full {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("no room")
        }
    }

    impl std::error::Error for Full {}

    #[cfg(feature = "bincode")]
    #[test]
    fn a_declared_error_travels_as_its_value_and_in_words() {
        let rejection = Rejection::app(&Full { room: 3, text: "x".into() });
        assert_eq!((rejection.code(), rejection.handled()), (Code::App, Handled::Yes));
        assert_eq!(&**rejection.detail(), b"\x03\x01x");
        assert_eq!(rejection.text_on_wire(), "Full('no room')");
    }

    #[cfg(feature = "bincode")]
    #[test]
    fn a_declared_error_of_over_64_kib_is_refused_in_words() {
        // One byte for the number, three for the length of the text.
        let of_len = |len: usize| Rejection::app(&Full { room: 3, text: "x".repeat(len - 4) });
        assert_eq!((of_len(65_536).code(), of_len(65_536).detail().len()), (Code::App, 65_536));
        let too_long = of_len(65_537);
        assert_eq!((too_long.code(), too_long.detail().len()), (Code::Rejected, 0));
        assert_eq!(too_long.text_on_wire(), "Full('no room')");
    }

    /// Serde finds nothing to write in it.
    #[derive(Debug)]
    struct Unspeakable;

    impl Serialize for Unspeakable {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no"))
        }
    }

    impl<'de> Deserialize<'de> for Unspeakable {
        fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            Ok(Self)
        }
    }

    impl fmt::Display for Unspeakable {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("unspeakable")
        }
    }

    impl std::error::Error for Unspeakable {}

    #[test]
    fn a_declared_error_that_does_not_encode_is_refused_in_words() {
        let rejection = Rejection::app(&Unspeakable);
        assert_eq!((rejection.code(), rejection.detail().len()), (Code::Rejected, 0));
        assert_eq!(rejection.to_string(), "Unspeakable('unspeakable')");
    }

    #[test]
    fn an_unknown_type_is_named_as_the_python_package_does_or_by_its_number() {
        let text = |mtype| Rejection::unknown_type(mtype).text().to_owned();
        let python = "No protocol found in registry for message type: ";
        assert_eq!(text(Mtype::byte(5)), format!("{python}5"));
        assert_eq!(text(Mtype::from_number(0xe6ef_511b)), format!("{python}0xe6ef511b"));
    }

    #[test]
    fn what_never_began_is_told_from_what_may_have() {
        let handled = |code| Rejection::of(code, "E", "").handled();
        assert_eq!(handled(Code::Overloaded), Handled::No);
        assert_eq!(handled(Code::Panicked), Handled::Maybe);
        assert_eq!(handled(Code::ReplyTooLarge), Handled::Yes);
        assert_eq!(Rejection::new("no").handled(), Handled::Yes);
    }
}
