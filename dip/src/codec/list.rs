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

/// A newtype over `Vec<T>` of messages with a byte as mtype: their frames, one after the other.
#[derive(Debug)]
pub enum List {}

#[diagnostic::do_not_recommend]
impl<L: Newtype<Inner = Vec<T>>, T: Protocol> Codec<L> for List {
    fn encode(value: &L, body: &mut BodyMut<'_>) -> Result<(), EncodeError> {
        encode_elements(element_mtype::<T>(), value.inner(), T::encode, body)
    }

    fn decode(body: Body<'_>, limits: &DecodeLimits) -> Result<L, DecodeError> {
        let decode = |part: Body<'_>, limits: &DecodeLimits| {
            let size = part.len();
            // What an element of any codec takes on the heap is not known; its body is the measure.
            Ok((T::decode(part, limits)?, size))
        };
        decode_elements(element_mtype::<T>(), decode, body, limits).map(L::wrap)
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

/// `decode` also says how many bytes an element takes in memory, apart from its own size.
pub(crate) fn decode_elements<T>(
    mtype: u8,
    decode: impl Fn(Body<'_>, &DecodeLimits) -> Result<(T, usize), DecodeError>,
    mut body: Body<'_>,
    limits: &DecodeLimits,
) -> Result<Vec<T>, DecodeError> {
    let mut elements = Vec::new();
    // Each element may spend what the ones before it have left over.
    let mut limits = limits.clone();
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
        let (element, size) = decode(part, &limits)?;
        // Only now, since Python does not notice: what it makes of the rest is the error it replies.
        if got < len {
            return Err(DecodeError::too_short(len, got));
        }
        elements.push(element);
        limits.decoded_size = limits
            .decoded_size
            .checked_sub(size_of::<T>() + size)
            .ok_or_else(|| DecodeError::too_large(limit))?;
    }
    Ok(elements)
}
