//! bincode: small, fast, and understood only by who knows the type.
//!
//! Worked example, `Add { a: 1, b: 2 }` of two `i32`: `02 04`.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Body, BodyMut, Codec, DecodeError, DecodeLimits, EncodeError};
use crate::schema::{SchemaError, SchemaRecorder};

mod input;
mod output;
mod read;
mod write;

/// bincode 2 in its standard configuration (little-endian, integers of variable length), for any type
/// that serde knows: the codec of messages that name none.
///
/// The bytes do not describe themselves. Hence both sides need the same type, and what serde can only
/// read from a format that tells it what comes next is an error: `flatten`, `untagged`, internally
/// tagged enums, a `serde_json::Value`, fields left out by `skip_serializing_if`.
///
/// Sequences, maps, variants and `Some` may stand inside each other up to 128 levels, written or
/// read. Memory is charged to [`DecodeLimits::decoded_size`] before it is taken: each element of a
/// sequence by its size and by one byte at least, whatever length the body claims.
///
/// ```
/// use dip::codec::{Bincode, Body, BodyMut, Codec, DecodeLimits};
///
/// let mut bytes = Vec::new();
/// Bincode::encode(&(1, -2, "hi".to_owned()), &mut BodyMut::new(&mut bytes, 100)).unwrap();
/// assert_eq!(bytes, b"\x02\x03\x02hi");
///
/// let limits = DecodeLimits::for_body(bytes.len());
/// let read: (i32, i32, String) = Bincode::decode(Body::from(&*bytes), &limits).unwrap();
/// assert_eq!(read, (1, -2, "hi".to_owned()));
/// ```
///
/// # Errors
///
/// `ProtoDecodeError` for bytes that are cut, left over or no bincode, `UnicodeDecodeError`,
/// `TypeError` for what the type does not take, `RecursionError` and `MemoryError` for the limits.
#[derive(Debug)]
pub enum Bincode {}

impl Bincode {
    /// Reads a value of a type that this side never writes.
    pub(crate) fn read<T: DeserializeOwned>(
        body: &[u8],
        limits: &DecodeLimits,
    ) -> Result<T, DecodeError> {
        read::value(body, limits)
    }
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Codec<T> for Bincode {
    #[inline(always)]
    fn encode(value: &T, body: &mut BodyMut<'_>) -> Result<(), EncodeError> {
        write::value(value, body)
    }

    #[inline(always)]
    fn decode(body: Body<'_>, limits: &DecodeLimits) -> Result<T, DecodeError> {
        read::value(&body, limits)
    }

    fn schema(record: &mut SchemaRecorder) -> Result<(), SchemaError> {
        record.name("bincode")?;
        record.types::<T>()
    }
}

#[cfg(test)]
mod tests;
