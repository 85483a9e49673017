//! Every codec by its word, and one's own by its path.

use bytes::Bytes;
use dip::Protocol;
use dip::codec::{Body, BodyMut, Codec, DecodeError, DecodeLimits, EncodeError};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'1')]
#[protocol(codec = bincode)]
struct InBincode(u8);

#[derive(Debug, PartialEq, Serialize, Deserialize, Protocol)]
#[mtype(b'2')]
#[protocol(codec = json, reply = Vec<u8>)]
struct InJson {
    number: u8,
}

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'3')]
#[protocol(codec = pickle, reply = u8, reply_codec = json)]
struct InPickle(u8);

#[derive(Debug, PartialEq, Protocol)]
#[mtype(b'4')]
#[protocol(codec = text, reply = String, reply_codec = text)]
struct InText {
    text: String,
}

#[derive(Debug, PartialEq, Protocol)]
#[mtype(b'5')]
#[protocol(codec = raw, reply = Bytes, reply_codec = raw)]
struct InRaw(Bytes);

#[derive(Debug, PartialEq, Protocol)]
#[mtype(b'6')]
#[protocol(codec = fields)]
struct InFields {
    first: Option<String>,
    second: Option<String>,
}

#[derive(Debug, PartialEq, Protocol)]
#[mtype(b'7')]
#[protocol(codec = fields)]
struct InTupleFields(Option<String>, Option<String>);

#[derive(Protocol)]
#[mtype(b'8')]
#[protocol(codec = fields)]
struct InNoFields;

#[derive(Debug, PartialEq, Protocol)]
#[mtype(b'9')]
#[protocol(codec = list)]
struct InList(Vec<InText>);

#[derive(Debug, PartialEq, Protocol)]
#[mtype(b'D', replace)]
#[protocol(codec = own::BigEndian)]
struct InOnesOwn(u16);

mod own {
    pub struct BigEndian;
}

impl Codec<InOnesOwn> for own::BigEndian {
    fn encode(value: &InOnesOwn, body: &mut BodyMut<'_>) -> Result<(), EncodeError> {
        body.extend_from_slice(&value.0.to_be_bytes());
        Ok(())
    }

    fn decode(mut body: Body<'_>, _: &DecodeLimits) -> Result<InOnesOwn, DecodeError> {
        let number = u16::from_be_bytes(body.read_array()?);
        body.finish()?;
        Ok(InOnesOwn(number))
    }
}

fn decode<M: Protocol>(body: &[u8]) -> M {
    M::decode(Body::from(body), &DecodeLimits::for_body(body.len())).unwrap()
}

fn main() {
    let text = Some(String::from("hi"));
    let fields = b"\x00\x01\x00\x00\x00\x02hi";
    assert_eq!(decode::<InText>(b"hi"), InText { text: "hi".into() });
    assert_eq!(decode::<InRaw>(b"hi"), InRaw(Bytes::from_static(b"hi")));
    assert_eq!(decode::<InFields>(fields), InFields { first: None, second: text.clone() });
    assert_eq!(decode::<InTupleFields>(fields), InTupleFields(None, text));
    let InNoFields = decode(b"");
    let list = b"4\x00\x00\x00\x01a4\x00\x00\x00\x00";
    let elements = ["a", ""].map(|text| InText { text: text.into() });
    assert_eq!(decode::<InList>(list), InList(elements.into()));
    assert_eq!(decode::<InOnesOwn>(b"\x01\x02"), InOnesOwn(0x102));
}
