//! Every walk through a value, at the deepest nesting that is accepted, on the stack of a usual thread
//! and in a build without optimizations.

use std::hash::{DefaultHasher, Hasher as _};

use super::*;
use crate::codec::{Body, BodyMut, Codec, DecodeLimits, Json, Pickle};

type Wrap = fn(Value) -> Value;
type Walk = fn(Value);

const CONTAINERS: [(&str, Wrap); 9] = [
    ("list", |value| Value::List(vec![value])),
    ("tuple", |value| Value::Tuple(vec![value])),
    ("frozenset", |value| Value::Frozenset([value].into_iter().collect())),
    ("dict", |value| Dict::from_iter([("key", value)]).into()),
    ("dict of int", |value| Dict::from_iter([(1, value)]).into()),
    ("dict by value", |value| Dict::from_iter([(value, 1)]).into()),
    ("object by state", |value| object(None, Some(value), vec![])),
    ("object by argument", |value| object(Some(value), None, vec![])),
    ("object by entry", |value| object(None, None, vec![(1.into(), value)])),
];

fn object(arg: Option<Value>, state: Option<Value>, entries: Vec<(Value, Value)>) -> Value {
    Value::from(Object {
        class: "a.B".to_owned(),
        args: arg.into_iter().collect(),
        kwargs: Dict::new(),
        state,
        items: vec![],
        entries,
    })
}

const WALKS: &[(&str, Walk)] = &[
    ("drop", |_| {}),
    ("clone", |value| drop(value.clone())),
    ("eq", |value| assert_eq!(value, value.clone())),
    ("hash", |value| {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        assert_ne!(hasher.finish(), 0);
    }),
    ("debug", |value| assert!(format!("{value:?}").len() > MAX_DEPTH / 2)),
    ("to_value", |value| assert_eq!(to_value(&value).unwrap(), value)),
    ("to_value of the inner", |value| match &value {
        Value::Dict(dict) => drop(to_value(dict).unwrap()),
        Value::Set(set) | Value::Frozenset(set) => drop(to_value(set).unwrap()),
        Value::Object(object) => drop(to_value(object).unwrap()),
        value => drop(to_value(value).unwrap()),
    }),
    ("from_value", |value| drop(from_value::<Value>(value).unwrap())),
    ("typed", |value| drop(from_value::<Vec<Vec<u8>>>(value))),
    ("json", |value| through::<Json>(&value)),
    ("pickle", |value| through::<Pickle>(&value)),
    ("serde_json", |value| {
        if let Ok(json) = serde_json::Value::try_from(value) {
            drop(Value::from(json));
        }
    }),
    ("serde_json text", |value| {
        if let Ok(text) = serde_json::to_string(&value) {
            serde_json::from_str::<Value>(&text).unwrap_err();
        }
    }),
    #[cfg(feature = "bincode")]
    ("bincode", |value| through::<crate::codec::Bincode>(&value)),
];

fn through<C: Codec<Value>>(value: &Value) {
    let mut bytes = Vec::new();
    if C::encode(value, &mut BodyMut::new(&mut bytes, 1 << 20)).is_ok() {
        let limits = DecodeLimits::for_body(bytes.len());
        drop(C::decode(Body::from(&*bytes), &limits));
    }
}

/// Of the 2 MiB that a thread of the standard library and of tokio has; the rest is the program's.
const STACK: usize = 3 << 19;

#[test]
fn every_walk_fits_a_usual_stack() {
    for (container, wrap) in CONTAINERS {
        let value = nested(MAX_DEPTH, wrap);
        for (walk, run) in WALKS {
            // An overflow ends the process: this is then the last line.
            println!("{walk} of {container}");
            with_stack(STACK, value.clone(), *run);
        }
    }
}

#[cfg(feature = "cli")]
#[test]
fn the_command_line_has_the_stack_for_its_form_of_a_deep_value() {
    for (container, wrap) in CONTAINERS {
        println!("{container}");
        with_stack(crate::cli::STACK, nested(MAX_DEPTH, wrap), |value| {
            let tagged = crate::cli::tagged::to_tagged(&value);
            assert!(tagged.to_string().len() > 20);
        });
    }
}

fn with_stack(size: usize, value: Value, run: Walk) {
    let thread = std::thread::Builder::new().stack_size(size).spawn(move || run(value));
    thread.unwrap().join().unwrap();
}

#[test]
fn json_is_read_and_written_to_its_own_limit() {
    on_a_usual_stack(|| {
        for (open, close) in [("[", "]"), (r#"{"key": "#, "}")] {
            let text = format!("{}1{}", open.repeat(984), close.repeat(984));
            let limits = DecodeLimits::for_body(text.len());
            let value: Value = Json::decode(Body::from(text.as_bytes()), &limits).unwrap();
            let mut bytes = Vec::new();
            Json::encode(&value.clone(), &mut BodyMut::new(&mut bytes, 1 << 20)).unwrap();
            assert_eq!(bytes, text.as_bytes());
        }
    });
}
