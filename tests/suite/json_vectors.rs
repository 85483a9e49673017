//! The golden JSON bodies of the Python package, read and written.

use crate::vectors::from_tagged;
use dip::Value;
use dip::cli::tagged::to_tagged;
use dip::codec::{Body, BodyMut, Codec, DecodeError, DecodeLimits, EncodeError, Json};
use proptest::prelude::*;

use crate::vectors::{Vector, load};

/// Text with a lone surrogate, which Python reads and cannot send back.
const LONE_SURROGATES: [&str; 4] =
    ["J/text/escape_lone", "J/text/escape_swapped", "J/text/escape_high_", "J/text/lone_surrogate"];

fn json(vector: &Vector) -> bool {
    vector.name.starts_with("J/")
}

fn decode(body: &[u8]) -> Result<Value, DecodeError> {
    Json::decode(Body::from(body), &DecodeLimits::for_body(body.len()))
}

fn encode(value: &Value) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    let mut body = BodyMut::new(&mut out, 1 << 20);
    Json::encode(value, &mut body)?;
    body.finish()?;
    Ok(out)
}

#[test]
fn every_recorded_body_is_read_as_the_value_that_was_sent() {
    let (mut read, mut refused) = (0, 0);
    for vector in load().vectors.iter().filter(|vector| json(vector)) {
        let name = &vector.name;
        if LONE_SURROGATES.iter().any(|prefix| name.starts_with(prefix)) {
            assert_eq!(decode(&vector.body()).unwrap_err().class(), "JSONDecodeError", "{name}");
            refused += 1;
            continue;
        }
        let tagged = vector.decoded.as_ref().unwrap_or(&vector.value);
        let value = decode(&vector.body()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(value, from_tagged(tagged).unwrap(), "{name}");
        assert_eq!(to_tagged(&value), *tagged, "{name}");
        read += 1;
    }
    assert_eq!(read + refused, 126);
    assert!(refused < 10);
}

#[test]
fn every_value_that_was_sent_is_written_as_the_same_bytes() {
    let file = load();
    let written = file.vectors.iter().filter(|vector| {
        json(vector) && vector.direction.as_deref() == Some("both") && vector.encode_exact
    });
    let mut count = 0;
    for vector in written {
        let body = encode(&from_tagged(&vector.value).unwrap()).unwrap();
        assert_eq!(String::from_utf8_lossy(&body), String::from_utf8_lossy(&vector.body()));
        count += 1;
    }
    assert!(count > 80);
}

#[test]
fn every_refused_body_is_refused_for_the_same_reason() {
    for vector in load().decode_errors.iter().filter(|vector| json(vector)) {
        let error = decode(&vector.body()).unwrap_err();
        assert_eq!(Some(error.class()), vector.error.as_deref(), "{}", vector.name);
        // Python's `repr` doubles the backslashes.
        let text = error.text().replace('\\', "\\\\");
        let reply = vector.reply_text.as_deref().unwrap();
        if error.class() == "JSONDecodeError" {
            assert!(reply.contains(&text), "{}: {text}", vector.name);
        }
    }
}

#[test]
fn every_value_that_python_refuses_is_refused_for_the_same_reason() {
    let mut refused = Vec::new();
    for vector in load().encode_errors.iter().filter(|vector| json(vector)) {
        if let Ok(value) = from_tagged(&vector.value) {
            let error = encode(&value).unwrap_err();
            assert_eq!(Some(error.class()), vector.error.as_deref(), "{}", vector.name);
            refused.push(vector.name.clone());
        }
    }
    assert_eq!(refused, ["J/set", "J/bytes", "J/bytearray", "J/tuple_key", "J/bytes_key"]);
}

/// Whatever JSON can say.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i128>().prop_map(|int| Value::Int(int.into())),
        any::<f64>().prop_filter("one NaN is read", |float| !float.is_nan()).prop_map(Value::from),
        Just(Value::Float(f64::NAN)),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..8)
                .prop_map(|entries| Value::Dict(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(value in values()) {
        let back = decode(&encode(&value).unwrap()).unwrap();
        prop_assert_eq!(&back, &value);
        // Equality ignores the order of entries, the text does not.
        prop_assert_eq!(encode(&back).unwrap(), encode(&value).unwrap());
        prop_assert_eq!(from_tagged(&to_tagged(&value)).unwrap(), value);
    }

    #[test]
    fn no_text_is_too_odd(text in "[\\[\\]{}\",:0-9eE.+\\-\\\\u \nNaInfty\u{e9}]{0,40}") {
        if let Ok(value) = decode(text.as_bytes()) {
            prop_assert_eq!(decode(&encode(&value).unwrap()).unwrap(), value);
        }
    }
}
