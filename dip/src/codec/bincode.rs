//! placeholder
use super::*;
/// Bincode
#[derive(Debug)]
pub enum Bincode {}
#[diagnostic::do_not_recommend]
impl<T: serde::Serialize + serde::de::DeserializeOwned> Codec<T> for Bincode {
    fn encode(_: &T, _: &mut BodyMut<'_>) -> Result<(), EncodeError> {
        Err(EncodeError::new("placeholder"))
    }
    fn decode(_: Body<'_>, _: &DecodeLimits) -> Result<T, DecodeError> {
        Err(DecodeError::new("placeholder"))
    }
}
