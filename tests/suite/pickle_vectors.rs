//! The pickles of the golden frames: all plain ones are read, all others refused.

use crate::vectors::from_tagged;
use dip::codec::{Body, BodyMut, Codec, DecodeError, DecodeLimits, Pickle, PicklePolicy};
use dip::value::{Dict, Object, Value};
use serde_json::Value as Json;

use crate::vectors::{Vector, load};

const PICKLE: u32 = 80;

/// What Python's pickler calls to make plain data.
const PLAIN: [&str; 9] = [
    "builtins set",
    "builtins frozenset",
    "builtins bytearray",
    "builtins bytes",
    "__builtin__ set",
    "__builtin__ frozenset",
    "__builtin__ bytearray",
    "__builtin__ bytes",
    "_codecs encode",
];

fn decode(body: &[u8], policy: PicklePolicy) -> Result<Value, DecodeError> {
    let mut limits = DecodeLimits::for_body(body.len());
    limits.pickle = policy;
    Pickle::decode(Body::from(body), &limits)
}

fn is_plain(vector: &Vector) -> bool {
    vector.globals.iter().all(|name| PLAIN.contains(&&**name))
}

/// The classes as errors and inert objects name them.
fn class(global: &str) -> String {
    global.replace("__builtin__", "builtins").replace(' ', ".")
}

#[test]
fn plain_pickles_of_all_protocols_are_read_and_written_back() {
    let mut read = 0;
    for vector in load().vectors.iter().filter(|vector| vector.mtype == PICKLE) {
        if !is_plain(vector) || vector.name.contains("str_lone_surrogate") {
            continue;
        }
        let value = decode(&vector.body(), PicklePolicy::plain())
            .unwrap_or_else(|error| panic!("{}: {error}", vector.name));
        let expected = untagged(vector.decoded.as_ref().unwrap_or(&vector.value));
        assert_eq!(value, expected, "{}", vector.name);
        assert_eq!(decode(&vector.body(), PicklePolicy::inert()).unwrap(), expected);

        let mut body = Vec::new();
        Pickle::encode(&value, &mut BodyMut::new(&mut body, usize::MAX)).unwrap();
        assert_eq!(decode(&body, PicklePolicy::plain()).unwrap(), value, "{}", vector.name);
        read += 1;
    }
    assert!(read > 280, "{read} plain pickles");
}

#[test]
fn lone_surrogates_are_refused() {
    let file = load();
    let with_surrogates = file
        .vectors
        .iter()
        .filter(|vector| vector.mtype == PICKLE && vector.name.contains("str_lone_surrogate"));
    for vector in with_surrogates {
        let error = decode(&vector.body(), PicklePolicy::inert()).unwrap_err();
        assert_eq!(error.class(), "UnicodeDecodeError", "{}", vector.name);
    }
}

#[test]
fn other_classes_are_refused_by_name() {
    for vector in load().vectors.iter().filter(|vector| vector.mtype == PICKLE) {
        if is_plain(vector) {
            continue;
        }
        let error = decode(&vector.body(), PicklePolicy::plain()).unwrap_err();
        assert_eq!(error.class(), "UnpicklingError", "{}", vector.name);
        let class = class(&vector.globals[0]);
        assert!(error.text().contains(&class), "{}: {error}", vector.name);
    }
}

#[test]
fn other_classes_are_inert_objects_where_allowed() {
    let mut classes = 0;
    for vector in load().vectors.iter().filter(|vector| vector.mtype == PICKLE) {
        if is_plain(vector) {
            continue;
        }
        let value = decode(&vector.body(), PicklePolicy::inert()).unwrap();
        let Value::Object(object) = value else { panic!("{}: {value:?}", vector.name) };
        assert_eq!(object.class, class(&vector.globals[0]), "{}", vector.name);
        check_object(&object, &vector.value, &vector.name);
        classes += 1;
    }
    assert!(classes >= 7, "{classes} objects");
}

fn check_object(object: &Object, value: &Json, name: &str) {
    let int = |value: i64| Value::from(value);
    let (mut state, mut entries) = (None, Vec::new());
    let args = match value["$type"].as_str().unwrap() {
        "complex" => vec![untagged(&value["real"]), untagged(&value["imag"])],
        "decimal" => vec![untagged(&value["dec"])],
        "timedelta" => ["days", "seconds", "microseconds"].map(|key| untagged(&value[key])).into(),
        "datetime" => vec![Value::Bytes(b"\x07\xe8\x0c\x09\x0e\x06\x04\x01\xe2\x40".to_vec())],
        "date" => vec![Value::Bytes(b"\x07\xe8\x02\x1d".to_vec())],
        "uuid" => {
            state = Some(Value::Dict(Dict::from_iter([("int", int(0x0dee_9f03))])));
            Vec::new()
        }
        "ordereddict" => {
            let pairs = value["items"].as_array().unwrap().iter();
            entries = pairs.map(|pair| (untagged(&pair[0]), untagged(&pair[1]))).collect();
            Vec::new()
        }
        other => panic!("{name}: {other}"),
    };
    assert_eq!(object.args, args, "{name}");
    assert_eq!(object.state, state, "{name}");
    assert_eq!(object.entries, entries, "{name}");
    assert!(object.kwargs.is_empty() && object.items.is_empty(), "{name}");
}

#[test]
fn pickles_that_python_refuses_are_refused_with_the_same_class() {
    /// Errors of imports and calls, which are not even tried.
    const OF_CALLS: [&str; 5] =
        ["missing_module", "call_none", "reduce_raises", "append_to_none", "extension_code"];
    let (mut same, mut same_text) = (0, 0);
    for vector in load().decode_errors.iter().filter(|vector| vector.mtype == PICKLE) {
        for policy in [PicklePolicy::plain(), PicklePolicy::inert()] {
            let of_call = OF_CALLS.iter().any(|call| vector.name.ends_with(call));
            match decode(&vector.body(), policy) {
                Err(_) if of_call => {}
                Err(error) => {
                    assert_eq!(Some(error.class()), vector.error.as_deref(), "{}", vector.name);
                    same += 1;
                    let exact = vector.matching.as_deref() == Some("exact");
                    let text = vector.reply_text.as_deref().unwrap_or_default();
                    same_text += usize::from(exact && text.contains(error.text()));
                }
                Ok(_) if of_call && policy.allows_objects() => {}
                Ok(value) => panic!("{} is read as {value:?}", vector.name),
            }
        }
    }
    assert!(same > 40, "{same} errors");
    assert!(same_text > 30, "{same_text} texts");
}

#[test]
fn pickles_that_make_python_call_something_are_refused() {
    for vector in load().pickle_unsafe {
        let error = decode(&vector.body(), PicklePolicy::plain()).unwrap_err();
        assert_eq!(error.class(), "UnpicklingError", "{}", vector.name);
        let class = class(&vector.globals[0]);
        assert!(error.text().contains(&class), "{}: {error}", vector.name);
        assert!(matches!(
            decode(&vector.body(), PicklePolicy::inert()),
            Ok(Value::Object(_) | Value::List(_))
        ));
    }
}

/// The value that a tagged one of the kit stands for.
fn untagged(json: &Json) -> Value {
    from_tagged(json).unwrap()
}
