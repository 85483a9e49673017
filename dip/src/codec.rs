//! How the body of a message becomes bytes and back.
//!
//! A message names its codec: `#[protocol(codec = json)]`. The codecs of dip are the types of this
//! module; a format of one's own is an `impl Codec<T> for MyCodec` of two functions.

use std::any::type_name;
use std::cell::Cell;

use crate::schema::{self, SchemaError, SchemaRecorder};

#[cfg(feature = "bincode")]
mod bincode;
mod body;
mod body_mut;
mod default;
mod error;
pub(crate) mod fields;
pub(crate) mod json;
pub(crate) mod list;
mod owned;
pub(crate) mod pickle;
mod raw;
mod text;
mod unit;
pub(crate) mod utf8;

#[cfg(feature = "bincode")]
pub use bincode::Bincode;

pub use body::Body;
pub use body_mut::BodyMut;
pub(crate) use body_mut::{Encoded, ROOM, Room, Short};
#[doc(hidden)]
pub use default::{DefaultCodec, Undecided};
pub use error::{DecodeError, EncodeError};
pub use fields::{Field, Fields, Record};
pub use json::Json;
pub use list::List;
pub(crate) use owned::OwnedBody;
pub use pickle::Pickle;
pub use raw::Raw;
#[doc(hidden)]
pub use raw::RawField;
pub use text::Text;
#[doc(hidden)]
pub use text::TextField;
pub use unit::Unit;

/// How values of type `T` are written to and read from a body.
///
/// ```
/// use dip::codec::{Body, BodyMut, Codec, DecodeError, DecodeLimits, EncodeError};
///
/// struct Celsius(i16);
/// struct BigEndian;
///
/// impl Codec<Celsius> for BigEndian {
///     fn encode(value: &Celsius, body: &mut BodyMut<'_>) -> Result<(), EncodeError> {
///         body.extend_from_slice(&value.0.to_be_bytes());
///         Ok(())
///     }
///
///     fn decode(mut body: Body<'_>, _: &DecodeLimits) -> Result<Celsius, DecodeError> {
///         let degrees = i16::from_be_bytes(body.read_array()?);
///         body.finish()?;
///         Ok(Celsius(degrees))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "the codec `{Self}` can't carry `{T}`",
    label = "`{Self}` can't carry this type",
    note = "`bincode`, `json` and `pickle` carry types with `#[derive(serde::Serialize, serde::Deserialize)]`, `list` a newtype of a `Vec` of messages, and a codec of your own what its `impl dip::codec::Codec<T>` names"
)]
pub trait Codec<T>: 'static {
    /// Appends `value` to `body`.
    ///
    /// # Errors
    ///
    /// When the format cannot hold the value. What was appended before the error is discarded.
    fn encode(value: &T, body: &mut BodyMut<'_>) -> Result<(), EncodeError>;

    /// Reads one value; the whole body must be used up.
    ///
    /// # Errors
    ///
    /// When the body does not hold a value of this type, or one that is over `limits`.
    fn decode(body: Body<'_>, limits: &DecodeLimits) -> Result<T, DecodeError>;

    /// Says how values are laid out, so that programs with another idea of `T` are found out before
    /// they misread each other: see [`dip::schema`](crate::schema).
    ///
    /// Unless written, it is the name of the codec's type: any two types are then taken for the same.
    ///
    /// # Errors
    ///
    /// When the codec can't say. Its schema is then the name of its type.
    fn schema(record: &mut SchemaRecorder) -> Result<(), SchemaError> {
        record.name(&schema::short(type_name::<Self>()))
    }
}

/// How deep values may be nested in formats that come without a limit of their own.
const DEPTH: usize = 128;

/// What a decoder may spend on one body, and which pickles it reads.
///
/// The receiver sets them; a codec that builds nested or growing
/// values keeps to them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DecodeLimits {
    /// How deep values may be nested in formats that come without a limit of their own (128).
    pub depth: usize,
    /// Bytes that the decoded value of one body may take in memory.
    pub decoded_size: usize,
    /// Which pickles are read; plain data only by default.
    pub pickle: PicklePolicy,
    /// What of `decoded_size` is used up, as far as codecs say.
    spent: Cell<usize>,
}

impl DecodeLimits {
    /// The limits for a body of `len` bytes: depth 128, and in memory 48 times the body and 1 MiB
    /// on top, 256 MiB at most. A list of small dicts, as workers send it, takes 20 to 30 times its
    /// text.
    #[inline]
    pub fn for_body(len: usize) -> Self {
        let decoded_size = len.saturating_mul(48).saturating_add(1 << 20).min(256 << 20);
        Self { depth: DEPTH, decoded_size, pickle: PicklePolicy::default(), spent: Cell::new(0) }
    }

    /// A codec says what the value that it read takes in memory, for whoever put it into another.
    #[inline]
    fn spend(&self, bytes: usize) {
        self.spent.set(self.spent.get().saturating_add(bytes));
    }
}

/// Which pickles are read. A pickle is read as data; nothing in it is ever executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PicklePolicy {
    inert: bool,
}

impl PicklePolicy {
    /// Plain data only: any class but the value types of Python is an error that names it.
    pub const fn plain() -> Self {
        Self { inert: false }
    }

    /// Objects of any class become an inert [`Object`](crate::value::Object): the name of the class,
    /// its arguments and its state, for the receiver to interpret.
    pub const fn inert() -> Self {
        Self { inert: true }
    }

    /// Whether objects become inert values instead of errors.
    pub const fn allows_objects(self) -> bool {
        self.inert
    }
}

/// A struct of one field that travels as that field alone. The derive writes it for the codecs
/// `text`, `raw` and `list`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a struct of one field",
    label = "the codecs `text`, `raw` and `list` carry newtypes"
)]
pub trait Newtype: Sized {
    /// The type of the field.
    type Inner;
    /// Puts the struct around the field.
    fn wrap(inner: Self::Inner) -> Self;
    /// The field.
    fn inner(&self) -> &Self::Inner;
}

impl Newtype for String {
    type Inner = Self;

    fn wrap(inner: Self) -> Self {
        inner
    }

    fn inner(&self) -> &Self {
        self
    }
}

impl Newtype for bytes::Bytes {
    type Inner = Self;

    fn wrap(inner: Self) -> Self {
        inner
    }

    fn inner(&self) -> &Self {
        self
    }
}
