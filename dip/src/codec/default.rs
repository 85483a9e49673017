//! The codec of messages that name none.

use super::{Body, BodyMut, Codec, DecodeError, DecodeLimits, EncodeError};

#[cfg(feature = "bincode")]
pub use super::Bincode as DefaultCodec;

/// Carries nothing: a message without a codec gets an error that says so.
#[cfg(not(feature = "bincode"))]
#[derive(Debug)]
pub enum DefaultCodec {}

#[cfg(not(feature = "bincode"))]
impl<T: HasDefaultCodec> Codec<T> for DefaultCodec {
    fn encode(_: &T, _: &mut BodyMut<'_>) -> Result<(), EncodeError> {
        Err(EncodeError::new("no codec"))
    }

    fn decode(_: Body<'_>, _: &DecodeLimits) -> Result<T, DecodeError> {
        Err(DecodeError::new("no codec"))
    }
}

#[cfg(not(feature = "bincode"))]
#[diagnostic::on_unimplemented(
    message = "no codec is named for `{Self}`, and the default one is not there",
    label = "name one: `#[protocol(codec = json)]`, for a reply `reply_codec = json`",
    note = "the default is `bincode`: a feature of the package `dip-ipc`, switched off in this build"
)]
pub trait HasDefaultCodec {}

/// The codec of a message whose derive has reported an error: it fits everything, so that no second
/// error follows.
#[derive(Debug)]
pub enum Undecided {}

#[diagnostic::do_not_recommend]
impl<T> Codec<T> for Undecided {
    fn encode(_: &T, _: &mut BodyMut<'_>) -> Result<(), EncodeError> {
        Err(EncodeError::new("the message did not compile"))
    }

    fn decode(_: Body<'_>, _: &DecodeLimits) -> Result<T, DecodeError> {
        Err(DecodeError::new("the message did not compile"))
    }
}
