//! Values through serde, and deep ones on the stack of a usual thread.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::*;

fn int(text: &str) -> Value {
    Value::Int(text.parse().unwrap())
}

/// One of each kind, at depth.
fn everything() -> Value {
    let object = Object {
        class: "decimal.Decimal".to_owned(),
        args: vec!["1.5".into()],
        kwargs: Dict::from_iter([("k", 1)]),
        state: Some(Value::Tuple(vec![])),
        items: vec![Value::Null],
        entries: vec![(1.into(), 2.into())],
    };
    let set = Set::from_iter([Value::from(1), Value::from(1.0), Value::Bool(true)]);
    Value::Tuple(vec![
        Value::Null,
        Value::Bool(true),
        int("-1180591620717411303424"),
        f64::NAN.into(),
        f64::NEG_INFINITY.into(),
        "text".into(),
        Value::Bytes(vec![0, 255]),
        Value::Bytearray(vec![1]),
        Value::List(vec![Value::Tuple(vec![])]),
        Value::Frozenset(set.clone()),
        Value::Set(set),
        Dict::from_iter([
            (Value::Tuple(vec![1.into()]), Value::from(object)),
            (1.into(), 2.into()),
        ])
        .into(),
    ])
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Carrier {
    extra: Value,
    big: Int,
    dict: Dict,
    set: Set,
    more: Vec<Option<Value>>,
}

fn carrier() -> Carrier {
    Carrier {
        extra: everything(),
        big: "1180591620717411303424000000000000000000000000".parse().unwrap(),
        dict: Dict::from_iter([(Value::from(1), everything())]),
        set: Set::from_iter([everything()]),
        more: vec![None, Some(everything())],
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    Newtype(u32),
    Tuple(u8, String),
    Struct { side: f64 },
    Deep(Box<Shape>),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Id(u32);

fn there_and_back<T: Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    from_value(to_value(value).unwrap()).unwrap()
}

fn fault<T: serde::de::DeserializeOwned>(value: Value) -> String {
    match from_value::<T>(value) {
        Ok(_) => panic!("it fitted"),
        Err(error) => {
            assert_eq!(error.class(), "TypeError");
            error.text().to_owned()
        }
    }
}

#[test]
fn a_node_takes_32_bytes() {
    assert_eq!(size_of::<Value>(), 32);
}

#[test]
fn values_inside_a_type_stay_what_they_are() {
    assert_eq!(there_and_back(&carrier()), carrier());
    assert_eq!(there_and_back(&everything()), everything());
    assert_eq!(to_value(&everything()).unwrap(), everything());
    let map = HashMap::from([("a".to_owned(), everything())]);
    assert_eq!(there_and_back(&map), map);
}

#[test]
fn a_value_of_the_wrong_kind_is_named() {
    let value = Value::from(Dict::from_iter([("big", "1")]));
    #[derive(Deserialize)]
    struct Big {
        #[expect(dead_code, reason = "only its error counts")]
        big: Int,
    }
    assert_eq!(fault::<Big>(value), "big: invalid type: string, expected an integer");
}

#[test]
fn enums_are_externally_tagged() {
    for (shape, json) in [
        (Shape::Unit, r#""Unit""#),
        (Shape::Newtype(7), r#"{"Newtype":7}"#),
        (Shape::Tuple(1, "a".to_owned()), r#"{"Tuple":[1,"a"]}"#),
        (Shape::Struct { side: 0.5 }, r#"{"Struct":{"side":0.5}}"#),
        (Shape::Deep(Box::new(Shape::Unit)), r#"{"Deep":"Unit"}"#),
    ] {
        let value = to_value(&shape).unwrap();
        let as_json: serde_json::Value = value.clone().try_into().unwrap();
        assert_eq!(as_json.to_string(), json);
        assert_eq!(from_value::<Shape>(value).unwrap(), shape);
        assert_eq!(from_value::<Shape>(as_json.into()).unwrap(), shape);
    }
}

#[test]
fn the_error_names_the_path() {
    #[derive(Deserialize, Debug)]
    #[expect(dead_code, reason = "only its errors count")]
    struct Outer {
        jobs: Vec<Progress>,
    }
    #[derive(Deserialize, Debug)]
    #[expect(dead_code, reason = "only its errors count")]
    struct Progress {
        done: u8,
        shape: Option<Shape>,
    }
    let outer = |job: &str| {
        let value: serde_json::Value = serde_json::from_str(job).unwrap();
        fault::<Outer>(Value::from(serde_json::json!({ "jobs": [{"done": 1}, value] })))
    };
    assert_eq!(outer(r#"{"done":"x"}"#), "jobs[1].done: invalid type: string, expected u8");
    assert_eq!(outer(r#"{"done":300}"#), "jobs[1].done: invalid value: integer `300`, expected u8");
    assert_eq!(outer("{}"), "jobs[1]: missing field `done`");
    assert_eq!(
        outer(r#"{"done":1,"shape":{"Struct":{"side":"x"}}}"#),
        "jobs[1].shape.Struct.side: invalid type: string, expected f64"
    );
    assert_eq!(
        outer(r#"{"done":1,"shape":"Round"}"#),
        "jobs[1].shape: unknown variant `Round`, expected one of `Unit`, `Newtype`, `Tuple`, \
         `Struct`, `Deep`"
    );
}

#[test]
fn errors_quote_little_of_the_content() {
    let long = "x".repeat(1000);
    assert!(fault::<Shape>(Value::from(long.as_str())).chars().count() < 150);
    assert!(fault::<u8>(Value::from(long.as_str())).len() < 100);
    let nested = Value::from(Dict::from_iter([(long, 1)]));
    assert!(fault::<HashMap<String, bool>>(nested).chars().count() < 150);
}

#[test]
fn numbers_that_do_not_fit_are_errors() {
    assert_eq!(fault::<u8>(256.into()), "invalid value: integer `256`, expected u8");
    assert_eq!(fault::<i32>(1.0.into()), "invalid type: floating point `1.0`, expected i32");
    assert_eq!(fault::<u32>(Value::Bool(true)), "invalid type: boolean `true`, expected u32");
    fault::<u64>((-1).into());
    fault::<i128>(int(&u128::MAX.to_string()));
    fault::<f64>(int(&format!("1{}", "0".repeat(400))));
    fault::<f32>(1e300.into());
    fault::<f32>((-1e39).into());
    fault::<f32>(int(&format!("1{}", "0".repeat(39))));
    assert_eq!(there_and_back(&f32::MAX).to_bits(), f32::MAX.to_bits());
    assert!(from_value::<f32>(f64::INFINITY.into()).unwrap().is_infinite());
    let huge = int(&format!("1{}", "0".repeat(100)));
    assert_eq!(fault::<u64>(huge), "invalid value: integer of 333 bits, expected u64");
}

#[test]
fn numbers_of_128_bits_fit() {
    assert_eq!(there_and_back(&u128::MAX), u128::MAX);
    assert_eq!(there_and_back(&i128::MIN), i128::MIN);
    assert_eq!(there_and_back(&u64::MAX), u64::MAX);
}

#[test]
fn integers_serve_as_floats() {
    assert!((from_value::<f64>(3.into()).unwrap() - 3.0).abs() < f64::EPSILON);
    assert!((from_value::<f32>(3.into()).unwrap() - 3.0).abs() < f32::EPSILON);
    let big = from_value::<f64>(int("1180591620717411303424")).unwrap();
    assert_eq!(big.to_bits(), (2f64).powi(70).to_bits());
    assert!(from_value::<f64>(f64::NAN.into()).unwrap().is_nan());
}

#[test]
fn keys_that_are_text_serve_as_numbers() {
    let json = Value::from(serde_json::json!({"1": "a", "20": "b"}));
    let expected = BTreeMap::from([(1, "a".to_owned()), (20, "b".to_owned())]);
    assert_eq!(from_value::<BTreeMap<u32, String>>(json.clone()).unwrap(), expected);
    let keys = from_value::<BTreeMap<i128, String>>(json).unwrap();
    assert_eq!(keys.into_keys().collect::<Vec<_>>(), [1, 20]);
    assert_eq!(there_and_back(&expected), expected);
    let yes = Value::from(serde_json::json!({"true": 1}));
    assert_eq!(from_value::<HashMap<bool, u8>>(yes).unwrap()[&true], 1);
    for key in ["", " 1", "01", "+1", "1_0", "x", "4294967296"] {
        let value = Value::from(Dict::from_iter([(key, "a")]));
        fault::<HashMap<u32, String>>(value);
    }
}

#[test]
fn keys_keep_their_kind() {
    #[derive(Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
    enum Side {
        Left,
    }
    let ids = BTreeMap::from([((1, false), 2)]);
    assert_eq!(there_and_back(&ids), ids);
    let sides = HashMap::from([(Side::Left, Some(()))]);
    assert_eq!(to_value(&sides).unwrap().get("Left"), Some(&Value::Null));
    assert_eq!(there_and_back(&HashMap::from([(7u64, ())])), HashMap::from([(7u64, ())]));
    assert!(
        to_value(&BTreeMap::from([(1, 2)]))
            .unwrap()
            .as_dict()
            .unwrap()
            .get_key(&1.into())
            .is_some()
    );
}

#[test]
fn sequences_of_any_kind_serve_as_such() {
    let items = || vec![Value::from(1), Value::from(2)];
    for value in [
        Value::List(items()),
        Value::Tuple(items()),
        Value::Set(items().into_iter().collect()),
        Value::Frozenset(items().into_iter().collect()),
        Value::Bytes(vec![1, 2]),
        Value::Bytearray(vec![1, 2]),
    ] {
        assert_eq!(from_value::<Vec<u8>>(value.clone()).unwrap(), [1, 2]);
        assert_eq!(from_value::<(u8, u64)>(value.clone()).unwrap(), (1, 2));
        assert_eq!(fault::<(u8,)>(value), "invalid length 2, expected fewer items");
    }
    assert_eq!(to_value(&(1, "a")).unwrap(), Value::Tuple(vec![1.into(), "a".into()]));
    assert_eq!(to_value(&[1][..]).unwrap(), Value::List(vec![1.into()]));
    assert_eq!(to_value(&Id(3)).unwrap(), 3.into());
    assert_eq!(from_value::<Id>(3.into()).unwrap(), Id(3));
}

#[test]
fn an_object_is_an_error_that_names_its_class() {
    let Value::Tuple(mut items) = everything() else { panic!() };
    let Some(Value::Dict(dict)) = items.pop() else { panic!() };
    let object = dict.into_iter().next().unwrap().1;
    assert_eq!(
        fault::<String>(object.clone()),
        "invalid type: object of the class decimal.Decimal, expected a string"
    );
    assert_eq!(from_value::<Object>(object).unwrap().class, "decimal.Decimal");
}

#[test]
fn json_of_others_is_plain_json() {
    let value = Value::from(serde_json::json!({"a": [1, -2, 0.5, "x", null, true], "b": {}}));
    let text = serde_json::to_string(&value).unwrap();
    assert_eq!(text, r#"{"a":[1,-2,0.5,"x",null,true],"b":{}}"#);
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    assert_eq!(serde_json::to_string(&Value::Tuple(vec![1.into()])).unwrap(), "[1]");
    for (value, error) in [
        (Value::from(f64::NAN), "JSON has no NaN"),
        (Value::Bytes(vec![]), "JSON has no bytes"),
        (Value::Set(Set::new()), "JSON has no set"),
        (Dict::from_iter([(1, 2)]).into(), "keys of JSON are text, not int"),
    ] {
        assert_eq!(serde_json::to_string(&value).unwrap_err().to_string(), error);
        assert_eq!(serde_json::Value::try_from(value).unwrap_err().to_string(), error);
    }
    assert_eq!(serde_json::Value::try_from(int("18446744073709551616")), Err(NotJson::Int));
    assert_eq!(serde_json::Value::try_from(int("18446744073709551615")).unwrap(), u64::MAX);
}

#[cfg(feature = "bincode")]
#[test]
fn formats_that_do_not_describe_themselves_lose_nothing() {
    use crate::codec::{Bincode, Body, BodyMut, Codec, DecodeLimits};

    let mut bytes = Vec::new();
    Bincode::encode(&carrier(), &mut BodyMut::new(&mut bytes, 1 << 20)).unwrap();
    let limits = DecodeLimits::for_body(bytes.len());
    let back: Carrier = Bincode::decode(Body::from(&*bytes), &limits).unwrap();
    assert_eq!(back, carrier());
}

#[test]
fn what_serde_buffers_itself_is_read_as_far_as_it_can_be() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Open {
        id: u32,
        #[serde(flatten)]
        extra: HashMap<String, Value>,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        A { value: Value },
    }
    let extra = HashMap::from([("x".to_owned(), Value::List(vec![1.into(), 0.5.into()]))]);
    let open = Open { id: 1, extra };
    assert_eq!(there_and_back(&open), open);
    let tagged = Tagged::A { value: Value::Bytes(vec![1]) };
    assert_eq!(there_and_back(&tagged), tagged);
    let all = Dict::from_iter([("id", Value::from(1)), ("x", int("1180591620717411303424"))]);
    fault::<Open>(all.into());
}

#[test]
fn dicts_and_sets_are_changed_in_place() {
    let mut dict = Dict::from_iter([("a", 1), ("b", 2), ("c", 3)]);
    dict.extend([(Value::from(1), u128::MAX)]);
    assert!(dict.contains_key("a") && !dict.contains_key("1"));
    *dict.get_mut("b").unwrap() = 0.5_f32.into();
    assert_eq!(dict.remove("a"), Some(1.into()));
    assert_eq!(dict.remove("a"), None);
    let entries: Vec<_> = (&dict).into_iter().map(|(key, _)| key.clone()).collect();
    assert_eq!(entries, ["b".into(), "c".into(), Value::from(1)]);
    assert!(dict.keys().eq(&entries));
    assert!(dict.values().eq(&[0.5.into(), 3.into(), u128::MAX.into()]));

    let mut set = Set::new();
    set.extend(["a", "b"]);
    assert!(set.remove(&"a".into()) && !set.remove(&"a".into()));
    assert_eq!((&set).into_iter().collect::<Vec<_>>(), [&Value::from("b")]);
    assert_eq!(Value::from(set.clone()), Value::Set(set));
    "1x".parse::<Int>().unwrap_err();
}

mod depth;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Chain {
    name: String,
    next: Option<Box<Chain>>,
}

/// 2 MiB: what a thread of the standard library and of tokio has.
fn on_a_usual_stack(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(2 << 20).spawn(test).unwrap().join().unwrap();
}

fn nested(depth: usize, wrap: fn(Value) -> Value) -> Value {
    (0..depth).fold(Value::from(1), |value, _| wrap(value))
}

#[test]
fn a_thousand_levels_fit_a_usual_stack() {
    on_a_usual_stack(|| {
        let wraps: [fn(Value) -> Value; 5] = [
            |value| Value::List(vec![value]),
            |value| Value::Tuple(vec![value]),
            |value| Dict::from_iter([("key", value)]).into(),
            |value| Value::Frozenset([value].into_iter().collect()),
            |value| {
                Value::from(Object {
                    class: "a.B".to_owned(),
                    args: vec![],
                    kwargs: Dict::new(),
                    state: Some(value),
                    items: vec![],
                    entries: vec![],
                })
            },
        ];
        for wrap in wraps {
            let value = nested(MAX_DEPTH, wrap);
            let copy = to_value(&value).unwrap();
            assert_eq!(copy, value);
            assert!(format!("{copy:?}").len() > MAX_DEPTH);
            assert_eq!(from_value::<Value>(copy).unwrap(), value);
            let too_deep = Value::List(vec![value]);
            assert_eq!(to_value(&too_deep).unwrap_err().class(), "RecursionError");
            let error = to_value(&[too_deep]).unwrap_err();
            assert_eq!(error.class(), "RecursionError");
        }
    });
}

fn chain(len: usize) -> Option<Box<Chain>> {
    (0..len).fold(None, |next, _| Some(Box::new(Chain { name: "n".to_owned(), next })))
}

#[test]
fn types_nest_as_deep_as_the_stack_allows() {
    on_a_usual_stack(|| {
        let value = to_value(&chain(MAX_DEPTH)).unwrap();
        let error = to_value(&chain(MAX_DEPTH + 1)).unwrap_err();
        assert_eq!(error.class(), "RecursionError");

        let error = from_value::<Option<Box<Chain>>>(value).unwrap_err();
        assert_eq!(error.class(), "RecursionError");
        assert!(error.text().ends_with("next.next.next: nested deeper than 128 levels"));
        assert_eq!(there_and_back(&chain(128)), chain(128));
    });
}
