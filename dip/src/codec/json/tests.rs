use serde::{Deserialize, Serialize};

use super::*;
use crate::value::{Dict, Set, Value};

fn read(text: &str) -> Result<Value, DecodeError> {
    let limits = DecodeLimits::for_body(text.len());
    Json::decode(Body::from(text.as_bytes()), &limits)
}

fn write<T: Serialize + DeserializeOwned>(value: &T) -> Result<String, EncodeError> {
    let mut out = Vec::new();
    let mut body = BodyMut::new(&mut out, 1 << 30);
    Json::encode(value, &mut body)?;
    body.finish()?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn types_are_written_as_python_writes_them() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Progress {
        task: String,
        done: f64,
        of: Option<u32>,
        pair: (i8, bool),
    }
    let progress =
        Progress { task: "é\n\u{7f}".to_owned(), done: 1e16, of: None, pair: (-1, true) };
    let text = write(&progress).unwrap();
    assert_eq!(
        text,
        "{\"task\": \"é\\n\u{7f}\", \"done\": 1e+16, \"of\": null, \"pair\": [-1, true]}"
    );
    let limits = DecodeLimits::for_body(text.len());
    assert_eq!(
        <Json as Codec<Progress>>::decode(text.as_bytes().into(), &limits).unwrap(),
        progress
    );
    let error = <Json as Codec<Progress>>::decode(b"[\"x\", {}]"[..].into(), &limits).unwrap_err();
    assert_eq!(
        (error.class(), error.text()),
        ("TypeError", "[1]: invalid type: map, expected f64")
    );
}

#[test]
fn what_json_cannot_hold_is_an_error_of_python() {
    let key = Dict::from_iter([(Value::Tuple(vec![]), 1)]);
    let nines = Value::Int("9".repeat(4300).parse().unwrap());
    assert_eq!(write(&nines).unwrap().len(), 4300);
    for (value, class, text) in [
        (Value::Set(Set::new()), "TypeError", "Object of type set is not JSON serializable"),
        (key.into(), "TypeError", "keys must be str, int, float, bool or None, not tuple"),
        (
            Value::Int(format!("-1{}", "0".repeat(4300)).parse().unwrap()),
            "ValueError",
            "Exceeds the limit (4300 digits) for integer string conversion",
        ),
    ] {
        let error = write(&value).unwrap_err();
        assert_eq!((error.class(), error.text()), (class, text));
    }
}

#[test]
fn depth_ends_where_it_does_in_python() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let deepest = read(&nested(984)).unwrap();
    assert_eq!(write(&deepest).unwrap(), nested(984));
    assert_eq!(read(&nested(985)).unwrap_err().class(), "RecursionError");
    assert_eq!(write(&Value::List(vec![deepest])).unwrap_err().class(), "RecursionError");
    let dicts = |depth: usize| format!("{}1{}", "{\"\":".repeat(depth), "}".repeat(depth));
    assert!(read(&dicts(984)).is_ok());
    assert_eq!(read(&dicts(985)).unwrap_err().class(), "RecursionError");
}

#[test]
fn bombs_end_in_an_error() {
    let size = 4 << 20;
    for (bomb, class) in [
        ("[".repeat(1_000_000), "RecursionError"),
        ("{\"\":".repeat(1_000_000), "RecursionError"),
        (format!("[{}", "{\"\":0},".repeat(2 << 20)), "MemoryError"),
        (format!("[{}", "{},".repeat(size / 3)), "MemoryError"),
        (format!("[{}", "\"\",".repeat(size / 3)), "JSONDecodeError"),
        (format!("\"{}", "a".repeat(size)), "JSONDecodeError"),
        ("1".repeat(size), "ValueError"),
    ] {
        let error = read(&bomb).unwrap_err();
        assert_eq!(error.class(), class);
        assert!(error.text().len() < 200);
    }
}

#[test]
fn a_list_of_small_numbers_is_within_the_limits() {
    let numbers: Vec<u8> = (0..10).cycle().take(100_000).collect();
    let limits = DecodeLimits::for_body(200_000);
    let text =
        format!("[{}]", numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(","));
    let back: Vec<u8> = Json::decode(text.as_bytes().into(), &limits).unwrap();
    assert_eq!(back, numbers);
}

#[test]
fn errors_are_worded_as_in_python() {
    for (text, error) in [
        ("", "Expecting value: line 1 column 1 (char 0)"),
        ("[\n é", "Expecting value: line 2 column 2 (char 3)"),
        ("[\"é\" 1", "Expecting ',' delimiter: line 1 column 6 (char 5)"),
        (r#""\ud83d\u0041""#, "Lone surrogate in \\uXXXX escape: line 1 column 3 (char 2)"),
        (r#""\u+123""#, "Invalid \\uXXXX escape: line 1 column 3 (char 2)"),
        ("\"\\u12é4\"", "Invalid \\uXXXX escape: line 1 column 3 (char 2)"),
        ("\"\\é\"", "Invalid \\escape: line 1 column 2 (char 1)"),
        (
            "{\"a\":1,}",
            "Expecting property name enclosed in double quotes: line 1 column 8 (char 7)",
        ),
        ("-", "Expecting value: line 1 column 1 (char 0)"),
        ("-Infinit", "Expecting value: line 1 column 1 (char 0)"),
        ("1.5.", "Extra data: line 1 column 4 (char 3)"),
    ] {
        let found = read(text).unwrap_err();
        assert_eq!((found.class(), found.text()), ("JSONDecodeError", error));
    }
}
