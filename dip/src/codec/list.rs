//! Elements one after the other, each a frame of its own.
//!
//! ```text
//! element   mtype u8 | length u32 BE | body
//! ```
//!
//! Worked example, `TaskUpdate` of `1` and `"a"`: `4a 00000001 31 | 4a 00000003 226122`.

use super::{Body, BodyMut, Codec, DecodeError, DecodeLimits, EncodeError, Newtype};
use crate::mtype::Mtype;
use crate::protocol::Protocol;
use crate::schema::{SchemaError, SchemaRecorder};

/// A newtype over `Vec<T>` of messages with a byte as mtype: their frames, one after the other.
#[derive(Debug)]
pub enum List {}

#[diagnostic::do_not_recommend]
impl<L: Newtype<Inner = Vec<T>>, T: Protocol> Codec<L> for List {
    fn encode(value: &L, body: &mut BodyMut<'_>) -> Result<(), EncodeError> {
        encode_elements(element_mtype::<T>(), value.inner(), T::encode, body)
    }

    fn decode(body: Body<'_>, limits: &DecodeLimits) -> Result<L, DecodeError> {
        decode_elements(element_mtype::<T>(), T::decode, body, limits).map(L::wrap)
    }

    fn schema(record: &mut SchemaRecorder) -> Result<(), SchemaError> {
        record_elements(element_mtype::<T>(), T::Codec::schema, record)
    }
}

/// Only byte types fit the one byte in front of an element.
fn element_mtype<T: Protocol>() -> u8 {
    const {
        match T::MTYPE.as_byte() {
            Some(byte) => byte,
            None => panic!("the elements of a list have a byte as mtype, not a name"),
        }
    }
}

pub(crate) fn record_elements(
    mtype: u8,
    element: fn(&mut SchemaRecorder) -> Result<(), SchemaError>,
    record: &mut SchemaRecorder,
) -> Result<(), SchemaError> {
    record.name("list")?;
    record.name(&format!("0x{mtype:02x}"))?;
    record.nested(element)
}

pub(crate) fn encode_elements<T>(
    mtype: u8,
    elements: &[T],
    encode: impl Fn(&T, &mut BodyMut<'_>) -> Result<(), EncodeError>,
    body: &mut BodyMut<'_>,
) -> Result<(), EncodeError> {
    for element in elements {
        body.extend_from_slice(&[mtype]);
        body.prefixed(|part| encode(element, part))?;
    }
    Ok(())
}

/// An element takes its own size and what its codec says; at least its body, as not every codec does.
pub(crate) fn decode_elements<T>(
    mtype: u8,
    decode: impl Fn(Body<'_>, &DecodeLimits) -> Result<T, DecodeError>,
    mut body: Body<'_>,
    outer: &DecodeLimits,
) -> Result<Vec<T>, DecodeError> {
    let mut elements = Vec::new();
    // Each element may spend what the ones before it have left over.
    let mut limits = outer.clone();
    limits.spent.set(0);
    let limit = limits.decoded_size;
    while let Some(&found) = body.first() {
        if found != mtype {
            return Err(DecodeError::new(format!(
                "Invalid element of type {}, expect {}",
                Mtype::byte(found),
                Mtype::byte(mtype)
            )));
        }
        body.split_to(1)?;
        let len = u32::from_be_bytes(body.read_array().map_err(|_| DecodeError::unpack(4))?);
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let got = body.len();
        let part = body.split_to(len.min(got))?;
        let size = part.len();
        let element = decode(part, &limits)?;
        // Only now, since Python does not notice: what it makes of the rest is the error it replies.
        if got < len {
            return Err(DecodeError::too_short(len, got));
        }
        elements.push(element);
        limits.decoded_size = limits
            .decoded_size
            .checked_sub(size_of::<T>().saturating_add(limits.spent.take().max(size)))
            .ok_or_else(|| DecodeError::too_large(limit))?;
    }
    outer.spend(limit - limits.decoded_size);
    Ok(elements)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Json, Pickle};
    use crate::value::Value;

    /// Ten elements that each take most of the memory there is.
    fn read<C: Codec<Value>>(element: &[u8]) -> Result<Vec<Value>, DecodeError> {
        let frame = [b"X", &(element.len() as u32).to_be_bytes()[..], element].concat();
        let mut limits = DecodeLimits::for_body(0);
        limits.decoded_size = 30_000;
        decode_elements(b'X', C::decode, Body::from(&*frame.repeat(10)), &limits)
    }

    #[test]
    fn elements_share_the_memory_that_their_codecs_say_they_take() {
        let json = format!("[{}0]", "0,".repeat(499));
        assert_eq!(read::<Json>(json.as_bytes()).unwrap_err().class(), "MemoryError");
        let pickle = [&b"]("[..], &b"N".repeat(500), b"e."].concat();
        assert_eq!(read::<Pickle>(&pickle).unwrap_err().class(), "MemoryError");
        assert_eq!(read::<Json>(b"[0]").unwrap().len(), 10);
    }

    #[cfg(feature = "bincode")]
    #[test]
    fn so_do_those_of_bincode() {
        use crate::codec::Bincode;

        let mut element = Vec::new();
        let value = Value::List(vec![Value::Null; 500]);
        Bincode::encode(&value, &mut BodyMut::new(&mut element, 10_000)).unwrap();
        assert_eq!(read::<Bincode>(&element).unwrap_err().class(), "MemoryError");
    }
}
