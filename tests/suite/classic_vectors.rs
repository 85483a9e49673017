//! The golden bodies of the types `O E D H o e U I 0x1d`, in both directions.

use crate::vectors::from_tagged;
use dip::builtin::{
    self, Any, Dict, Header, SetConnectionId, Stderr, Stdout, SubtaskError, SubtaskOut, TaskUpdate,
    TaskUpdateV2,
};
use dip::cli::tagged::to_tagged;
use dip::codec::{Body, BodyMut, DecodeError, DecodeLimits, EncodeError};
use dip::{Mtype, Protocol, Rejection, Value};

use crate::vectors::{Vector, load};

const TYPES: &[u8] = b"OEDHoeUI\x1d";

/// Bodies that the package reads although they end inside an element; here they are refused.
const CUT_SHORT: [&str; 2] = ["text/last_element_shorter_than_declared", "text/length_ffffffff"];

fn mtype(vector: &Vector) -> Option<u8> {
    u8::try_from(vector.mtype).ok().filter(|mtype| TYPES.contains(mtype))
}

fn vectors(of: Vec<Vector>) -> impl Iterator<Item = (u8, Vector)> {
    // Those of `mtype/` are about frames, not bodies.
    of.into_iter()
        .filter(|vector| !vector.name.starts_with("mtype/"))
        .filter_map(|vector| Some((mtype(&vector)?, vector)))
}

fn is_cut_short(vector: &Vector) -> bool {
    CUT_SHORT.iter().any(|name| vector.name.ends_with(name))
}

fn decode<M: Protocol>(body: &[u8]) -> Result<M, DecodeError> {
    M::decode(Body::from(body), &DecodeLimits::for_body(body.len()))
}

fn encode<M: Protocol>(message: &M) -> Vec<u8> {
    let mut out = Vec::new();
    let mut body = BodyMut::new(&mut out, 1 << 20);
    message.encode(&mut body).unwrap();
    body.finish().unwrap();
    out
}

fn encode_untyped(mtype: u8, value: &Value) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    let mut body = BodyMut::new(&mut out, 1 << 20);
    builtin::encode(Mtype::byte(mtype), value, &mut body)?;
    body.finish()?;
    Ok(out)
}

fn fields<const N: usize>(fields: [(&str, Option<String>); N]) -> Value {
    let present = fields.into_iter().filter_map(|(name, text)| Some((name, text?)));
    Value::Dict(present.collect())
}

/// The body as its message, as a tagged value; and what the message is written as again.
fn read(mtype: u8, body: &[u8]) -> Result<(serde_json::Value, Vec<u8>), DecodeError> {
    fn both<M: Protocol + Clone>(
        body: &[u8],
        value: impl Fn(M) -> Value,
    ) -> Result<(serde_json::Value, Vec<u8>), DecodeError> {
        let message: M = decode(body)?;
        Ok((to_tagged(&value(message.clone())), encode(&message)))
    }
    match mtype {
        b'O' => both(body, |Stdout(text)| text.into()),
        b'E' => both(body, |Stderr(text)| text.into()),
        b'D' => both(body, |Dict {}| fields([])),
        b'H' => both(body, |Header { header }| fields([("header", header)])),
        b'o' => both(body, |SubtaskOut { arg, subtask_out }| {
            fields([("arg", arg), ("subtask_out", subtask_out)])
        }),
        b'e' => both(body, |SubtaskError { arg, subtask_err }| {
            fields([("arg", arg), ("subtask_err", subtask_err)])
        }),
        b'U' => both(body, |TaskUpdate(items)| Value::List(items)),
        b'I' => both(body, |TaskUpdateV2(items)| Value::List(items)),
        _ => {
            let id: SetConnectionId = decode(body)?;
            let uuid = serde_json::json!({"$type": "uuid", "hex": id.0.to_string()});
            Ok((uuid, encode(&id)))
        }
    }
}

/// With the entries of dicts in one order: a struct does not remember in which its fields came.
fn sorted(tagged: &serde_json::Value) -> serde_json::Value {
    match from_tagged(tagged) {
        Ok(Value::Dict(dict)) => {
            let mut entries: Vec<_> = dict.into_iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str().map(str::to_owned));
            to_tagged(&Value::Dict(entries.into_iter().collect()))
        }
        _ => tagged.clone(),
    }
}

#[test]
fn every_recorded_body_is_read_as_the_value_that_was_sent() {
    let mut count = 0;
    for (mtype, vector) in vectors(load().vectors).filter(|(_, vector)| !is_cut_short(vector)) {
        let expected = vector.decoded.as_ref().unwrap_or(&vector.value);
        let (tagged, _) =
            read(mtype, &vector.body()).unwrap_or_else(|error| panic!("{}: {error}", vector.name));
        assert_eq!(tagged, sorted(expected), "{}", vector.name);
        count += 1;
    }
    assert_eq!(count, 105);
}

#[test]
fn a_body_that_ends_inside_an_element_is_refused() {
    let mut count = 0;
    for (mtype, vector) in vectors(load().vectors).filter(|(_, vector)| is_cut_short(vector)) {
        let error = read(mtype, &vector.body()).unwrap_err();
        assert_eq!(error.class(), "ProtoDecodeError", "{}", vector.name);
        assert!(error.text().starts_with("Not enough bytes to read"), "{}", vector.name);
        count += 1;
    }
    assert_eq!(count, 4);
}

/// All but the order of fields, which no struct holds.
#[test]
fn every_message_is_written_as_the_bytes_it_was_read_from() {
    let mut count = 0;
    for (mtype, vector) in vectors(load().vectors) {
        let reversed = vector.name.ends_with("/both_reversed");
        if vector.direction.as_deref() == Some("both") && !reversed {
            assert!(vector.encode_exact);
            assert_eq!(read(mtype, &vector.body()).unwrap().1, vector.body(), "{}", vector.name);
            count += 1;
        }
    }
    assert_eq!(count, 99);
}

#[test]
fn every_value_that_was_sent_is_written_as_the_same_bytes() {
    let mut count = 0;
    for (mtype, vector) in vectors(load().vectors).filter(|(mtype, _)| *mtype != 0x1d) {
        if vector.direction.as_deref() == Some("both") {
            let value = from_tagged(&vector.value).unwrap();
            let body = encode_untyped(mtype, &value);
            assert_eq!(body.as_ref(), Ok(&vector.body()), "{}", vector.name);
            count += 1;
        }
    }
    assert_eq!(count, 95);
}

#[test]
fn every_refused_body_is_refused_for_the_same_reason() {
    let (mut count, mut exact) = (0, 0);
    for (mtype, vector) in vectors(load().decode_errors) {
        let name = &vector.name;
        let error = read(mtype, &vector.body()).unwrap_err();
        assert_eq!(Some(error.class()), vector.error.as_deref(), "{name}");
        let of_text = matches!(error.class(), "UnicodeDecodeError" | "JSONDecodeError");
        if vector.matching.as_deref() == Some("exact") && !of_text {
            let reply = Rejection::named(error.class(), error.text()).to_string();
            assert_eq!(Some(&*reply), vector.reply_text.as_deref(), "{name}");
            exact += 1;
        }
        // The one handler of all messages answers the same.
        let body = vector.body();
        let limits = DecodeLimits::for_body(body.len());
        let any = Any::decode(Mtype::byte(mtype), Body::from(&*body), &limits);
        assert_eq!(any.unwrap_err(), error, "{name}");
        count += 1;
    }
    assert_eq!((count, exact), (85, 47));
}

#[test]
fn every_value_that_python_refuses_is_refused_for_the_same_reason() {
    let (mut count, mut no_value) = (0, Vec::new());
    for (mtype, vector) in vectors(load().encode_errors) {
        let Ok(value) = from_tagged(&vector.value) else {
            no_value.push(vector.name);
            continue;
        };
        let error = encode_untyped(mtype, &value).unwrap_err();
        assert_eq!(Some(error.class()), vector.error.as_deref(), "{}", vector.name);
        if error.class() == "ProtoEncodeError" {
            let reply = Rejection::named(error.class(), error.text()).to_string();
            assert_eq!(Some(&*reply), vector.error_repr.as_deref(), "{}", vector.name);
        }
        count += 1;
    }
    assert_eq!(count, 20);
    // Lone surrogates are no text.
    assert_eq!(no_value, ["O/lone_surrogate", "H/lone_surrogate_value_reports_unknown_field"]);
}

#[test]
fn what_is_no_built_in_message_is_not_written() {
    let error = encode_untyped(b'Z', &Value::Null).unwrap_err();
    assert!(error.text().starts_with("no built-in message has the type"));
}
