//! placeholder until merge
use super::*;
/// json
#[derive(Debug)]
pub enum Pickle {}
impl<T: serde::Serialize + serde::de::DeserializeOwned> Codec<T> for Pickle {
    fn encode(_: &T, _: &mut BodyMut<'_>) -> Result<(), EncodeError> {
        Err(EncodeError::new("placeholder"))
    }
    fn decode(_: Body<'_>, _: &DecodeLimits) -> Result<T, DecodeError> {
        Err(DecodeError::new("placeholder"))
    }
}
