use dip::Protocol;
use dip::codec::{Body, BodyMut, Codec, DecodeError, DecodeLimits, EncodeError};

struct Compact;

impl Codec<u8> for Compact {
    fn encode(value: &u8, body: &mut BodyMut<'_>) -> Result<(), EncodeError> {
        body.extend_from_slice(&[*value]);
        Ok(())
    }

    fn decode(mut body: Body<'_>, _: &DecodeLimits) -> Result<u8, DecodeError> {
        Ok(body.read_array::<1>()?[0])
    }
}

#[derive(Protocol)]
#[mtype(b'N')]
#[protocol(codec = Compact)]
struct Note {
    text: String,
}

fn main() {}
