//! What a codec says about a type.

use std::fmt;

use serde::de::DeserializeOwned;

use super::{name, text, trace};

/// Writes down how a codec lays out a type: what [`Codec::schema`](crate::codec::Codec::schema)
/// talks to.
///
/// The items stand one after the other, with a space between them. A codec of one's own says what it
/// is, and the shape of the type if it depends on it:
///
/// ```
/// use dip::codec::{Body, BodyMut, Codec, DecodeError, DecodeLimits, EncodeError};
/// use dip::schema::{SchemaError, SchemaRecorder};
/// # use serde::{Serialize, de::DeserializeOwned};
///
/// struct Cbor;
///
/// impl<T: Serialize + DeserializeOwned> Codec<T> for Cbor {
///     # fn encode(_: &T, _: &mut BodyMut<'_>) -> Result<(), EncodeError> { Ok(()) }
///     # fn decode(_: Body<'_>, _: &DecodeLimits) -> Result<T, DecodeError> {
///     #     Err(DecodeError::new(""))
///     # }
///     // … encode and decode, and:
///     fn schema(record: &mut SchemaRecorder) -> Result<(), SchemaError> {
///         record.name("cbor")?;
///         record.names::<T>()
///     }
/// }
/// ```
#[derive(Debug, Default)]
pub struct SchemaRecorder {
    text: String,
    depth: usize,
}

/// The longest text of one schema.
const MAX_LEN: usize = 256 << 10;

/// How deep codecs may be nested in codecs.
const DEPTH: usize = 16;

impl SchemaRecorder {
    /// Adds a name: of the codec, of a version of its format.
    ///
    /// # Errors
    ///
    /// When the schema is over 256 KiB.
    pub fn name(&mut self, name: &str) -> Result<(), SchemaError> {
        self.space();
        name::write(name, &mut self.text);
        if self.text.len() > MAX_LEN { Err(SchemaError(TOO_LONG)) } else { Ok(()) }
    }

    /// Adds the shape of `T` for a format that needs both sides to have the same: the names and types
    /// of its fields in their order, those of the types in it included.
    ///
    /// # Errors
    ///
    /// When the schema is over 256 KiB, or 128 types stand inside each other.
    pub fn types<T: DeserializeOwned>(&mut self) -> Result<(), SchemaError> {
        self.space();
        text::write(&trace::trace::<T>(false), &mut self.text, MAX_LEN).ok_or(SchemaError(TOO_LONG))
    }

    /// Adds what counts of the shape of `T` in a format that sends names with the values: the names
    /// of its fields and variants, those of the types in it included, whatever their order and types.
    ///
    /// # Errors
    ///
    /// As [`types`](Self::types).
    pub fn names<T: DeserializeOwned>(&mut self) -> Result<(), SchemaError> {
        self.space();
        text::write(&trace::trace::<T>(true).names(), &mut self.text, MAX_LEN)
            .ok_or(SchemaError(TOO_LONG))
    }

    /// Adds what another codec says, for a codec that writes its parts with others.
    ///
    /// # Errors
    ///
    /// The error of that codec, or one when 16 codecs stand inside each other.
    pub fn nested(
        &mut self,
        schema: fn(&mut Self) -> Result<(), SchemaError>,
    ) -> Result<(), SchemaError> {
        if self.depth == DEPTH {
            return Err(SchemaError("codecs are nested too deep"));
        }
        self.depth += 1;
        let done = schema(self);
        self.depth -= 1;
        done
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    fn space(&mut self) {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
    }
}

/// A codec could not say how it lays out a type. Its schema is then its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaError(&'static str);

const TOO_LONG: &str = "the schema is too long or nested too deep";

impl SchemaError {
    /// The reason, in words.
    pub const fn new(reason: &'static str) -> Self {
        Self(reason)
    }
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for SchemaError {}
