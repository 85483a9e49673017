//! Nothing at all.

use super::{Body, BodyMut, Codec, DecodeError, DecodeLimits, EncodeError};
use crate::schema::{SchemaError, SchemaRecorder};

/// The codec of `()`: the empty body.
#[derive(Debug)]
pub enum Unit {}

#[diagnostic::do_not_recommend]
impl Codec<()> for Unit {
    fn encode((): &(), _: &mut BodyMut<'_>) -> Result<(), EncodeError> {
        Ok(())
    }

    fn decode(body: Body<'_>, _: &DecodeLimits) -> Result<(), DecodeError> {
        body.finish()
    }

    fn schema(record: &mut SchemaRecorder) -> Result<(), SchemaError> {
        record.name("unit")
    }
}
