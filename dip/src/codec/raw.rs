//! Bytes as they are.

use bytes::Bytes;

use super::{Body, BodyMut, Codec, DecodeError, DecodeLimits, EncodeError, Newtype};

/// A newtype over [`Bytes`]: its bytes.
#[derive(Debug)]
pub enum Raw {}

#[diagnostic::do_not_recommend]
impl<T: Newtype<Inner = Bytes>> Codec<T> for Raw {
    fn encode(value: &T, body: &mut BodyMut<'_>) -> Result<(), EncodeError> {
        body.put_bytes(value.inner().clone());
        Ok(())
    }

    fn decode(body: Body<'_>, _: &DecodeLimits) -> Result<T, DecodeError> {
        Ok(T::wrap(body.into_bytes()))
    }
}
