//! What is written.

use super::*;

#[test]
fn objects_are_refused() {
    let value = read_inert(b"cm\nC\n.").unwrap();
    assert_eq!(write(&Value::List(vec![value])).unwrap_err().class(), "PicklingError");
}

#[test]
fn what_python_cannot_hash_is_refused() {
    for key in [Value::List(Vec::new()), Value::Tuple(vec![Value::Bytearray(Vec::new())])] {
        let dict = Value::Dict(Dict::from_iter([(key, Value::Null)]));
        assert_eq!(write(&dict).unwrap_err().class(), "TypeError");
    }
}

#[test]
fn integers_take_the_shortest_form() {
    for (int, len) in [
        (0, 2),
        (255, 2),
        (256, 3),
        (65535, 3),
        (65536, 5),
        (-1, 5),
        (i32::MAX.into(), 5),
        (i64::from(i32::MAX) + 1, 7),
        (i64::MIN, 10),
    ] {
        let body = write(&Value::from(int)).unwrap();
        assert_eq!(body.len(), 2 + len + 1, "{int}");
        assert_eq!(read(&body).unwrap(), Value::from(int));
    }
    let huge: Int = "9".repeat(4000).parse().unwrap();
    assert_eq!(read(&write(&Value::Int(huge.clone())).unwrap()).unwrap(), Value::Int(huge));
}

#[test]
fn an_integer_is_written_only_as_large_as_it_is_read() {
    let largest = Value::Int(Int::from_signed_bytes_le(&[0x7f; 4096]));
    assert_eq!(read(&write(&largest).unwrap()).unwrap(), largest);
    let larger = Value::Int(Int::from_signed_bytes_le(&[0x7f; 4097]));
    assert_eq!(write(&larger).unwrap_err().class(), "ValueError");
}
