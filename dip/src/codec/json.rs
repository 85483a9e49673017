//! JSON, byte for byte as Python's `json` module writes it, and all that it reads.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Body, BodyMut, Codec, DecodeError, DecodeLimits, EncodeError, utf8};
use crate::schema::{SchemaError, SchemaRecorder};
use crate::value::{from_value, to_value};

mod read;
mod write;

pub(crate) use write::value as write;

/// How many containers may stand inside each other: as many as Python reads.
const MAX_DEPTH: usize = 984;

/// How many digits an integer may have: as many as Python turns into text and back.
const MAX_DIGITS: usize = 4300;

/// The codec of JSON bodies, for any type that serde knows.
///
/// What is written is what Python's `json.dumps(value, ensure_ascii=False)` writes: `", "` and
/// `": "` between things, floats as Python spells them (`1e+16`, `NaN`, `-Infinity`), keys that are
/// numbers, booleans or null as text, tuples as arrays. What is read is what `json.loads` reads:
/// `NaN` and the infinities, integers of up to 4300 digits, 984 levels of nesting; of equal keys the
/// last one wins, at the first one's place. A lone surrogate (`"\ud800"`) is an error, since text
/// cannot hold it.
///
/// # Errors
///
/// The classes are those that Python raises: `JSONDecodeError` with line and column,
/// `UnicodeDecodeError`, `RecursionError`, `ValueError` for too many digits; `TypeError` for a value
/// that JSON cannot hold and for JSON that is none of the type; and `MemoryError` for a value over
/// [`DecodeLimits::decoded_size`].
#[derive(Debug)]
pub enum Json {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Codec<T> for Json {
    fn encode(value: &T, body: &mut BodyMut<'_>) -> Result<(), EncodeError> {
        encode(value, body)
    }

    fn decode(body: Body<'_>, limits: &DecodeLimits) -> Result<T, DecodeError> {
        let (value, size) = read::value(utf8::text(&body)?, limits.decoded_size)?;
        limits.spend(size);
        from_value(value)
    }

    fn schema(record: &mut SchemaRecorder) -> Result<(), SchemaError> {
        record.name("json")?;
        record.names::<T>()
    }
}

/// Appends anything that serde can serialize.
pub(crate) fn encode<T: Serialize + ?Sized>(
    value: &T,
    body: &mut BodyMut<'_>,
) -> Result<(), EncodeError> {
    write(&to_value(value)?, body)
}

#[cfg(test)]
mod tests;
