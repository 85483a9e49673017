//! placeholder until merge
use super::*;
/// json
#[derive(Debug)]
pub enum Json {}
impl<T: serde::Serialize + serde::de::DeserializeOwned> Codec<T> for Json {
    fn encode(_: &T, _: &mut BodyMut<'_>) -> Result<(), EncodeError> {
        Err(EncodeError::new("placeholder"))
    }
    fn decode(_: Body<'_>, _: &DecodeLimits) -> Result<T, DecodeError> {
        Err(DecodeError::new("placeholder"))
    }
}
impl serde::Serialize for crate::Value {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_unit()
    }
}
impl<'de> serde::Deserialize<'de> for crate::Value {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Self::Null)
    }
}
