//! UTF-8 text, nothing around it.

use super::{Body, BodyMut, Codec, DecodeError, DecodeLimits, EncodeError, Newtype, utf8};
use crate::schema::{SchemaError, SchemaRecorder};

/// A newtype over `String`: its text, as UTF-8.
#[derive(Debug)]
pub enum Text {}

/// What the derive finds in a `text` message: a `String`, or an error that says so.
#[diagnostic::on_unimplemented(
    message = "a `text` message holds a `String`, not `{Self}`",
    label = "expected `String`"
)]
pub trait TextField: Sized {
    #[doc(hidden)]
    fn get(&self) -> &String;
    #[doc(hidden)]
    fn new(text: String) -> Self;
}

#[diagnostic::do_not_recommend]
impl TextField for String {
    fn get(&self) -> &String {
        self
    }

    fn new(text: String) -> Self {
        text
    }
}

#[diagnostic::do_not_recommend]
impl<T: Newtype<Inner = String>> Codec<T> for Text {
    fn encode(value: &T, body: &mut BodyMut<'_>) -> Result<(), EncodeError> {
        body.extend_from_slice(value.inner().as_bytes());
        Ok(())
    }

    fn decode(body: Body<'_>, _: &DecodeLimits) -> Result<T, DecodeError> {
        utf8::text(&body).map(|text| T::wrap(text.to_owned()))
    }

    fn schema(record: &mut SchemaRecorder) -> Result<(), SchemaError> {
        record.name("text")
    }
}
