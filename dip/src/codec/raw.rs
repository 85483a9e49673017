//! Bytes as they are.

use bytes::Bytes;

use super::{Body, BodyMut, Codec, DecodeError, DecodeLimits, EncodeError, Newtype};
use crate::schema::{SchemaError, SchemaRecorder};

/// A newtype over [`Bytes`]: its bytes.
#[derive(Debug)]
pub enum Raw {}

/// What the derive finds in a `raw` message: [`Bytes`], or an error that says so.
#[diagnostic::on_unimplemented(
    message = "a `raw` message holds `bytes::Bytes`, not `{Self}`",
    label = "expected `bytes::Bytes`"
)]
pub trait RawField: Sized {
    #[doc(hidden)]
    fn get(&self) -> &Bytes;
    #[doc(hidden)]
    fn new(bytes: Bytes) -> Self;
}

#[diagnostic::do_not_recommend]
impl RawField for Bytes {
    fn get(&self) -> &Bytes {
        self
    }

    fn new(bytes: Bytes) -> Self {
        bytes
    }
}

#[diagnostic::do_not_recommend]
impl<T: Newtype<Inner = Bytes>> Codec<T> for Raw {
    fn encode(value: &T, body: &mut BodyMut<'_>) -> Result<(), EncodeError> {
        body.put_bytes(value.inner().clone());
        Ok(())
    }

    fn decode(body: Body<'_>, _: &DecodeLimits) -> Result<T, DecodeError> {
        Ok(T::wrap(body.into_bytes()))
    }

    fn schema(record: &mut SchemaRecorder) -> Result<(), SchemaError> {
        record.name("raw")
    }
}
