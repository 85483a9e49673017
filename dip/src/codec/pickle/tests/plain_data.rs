//! Plain data of all protocols.

use super::*;

#[test]
fn a_list_in_two_places_is_changed_in_both_and_copied_to_each() {
    // a = []; [a, a] and then a.append(1)
    let value = read(b"]q\x00]q\x01(h\x00h\x00eh\x00K\x01a0.").unwrap();
    let one = Value::List(ints(&[1]));
    assert_eq!(value, Value::List(vec![one.clone(), one]));
}

#[test]
fn a_later_entry_of_a_dict_replaces_the_value_of_an_earlier_one() {
    let value = read(b"}(K\x01K\x0aK\x02K\x14K\x01K\x1eu.").unwrap();
    let entries = Dict::from_iter([(1_i64, 30_i64), (2, 20)]);
    assert_eq!(format!("{value:?}"), format!("{:?}", Value::Dict(entries)));
}

#[test]
fn calls_that_old_protocols_need_for_sets_and_bytes_are_read_as_data() {
    let set = Value::Set(Set::from_iter(ints(&[1, 2])));
    assert_eq!(read(b"c__builtin__\nset\n((lI1\naI2\natR.").unwrap(), set);
    let frozen = Value::Frozenset(Set::new());
    assert_eq!(read(b"cbuiltins\nfrozenset\n)R.").unwrap(), frozen);
    let bytes = Value::Bytes(vec![0, 0xff]);
    assert_eq!(read(b"c_codecs\nencode\n(V\\u0000\xff\nVlatin1\ntR.").unwrap(), bytes);
    let bytes = Value::Bytes(Vec::new());
    assert_eq!(read(b"c__builtin__\nbytes\n)R.").unwrap(), bytes);
    let bytes = Value::Bytearray(b"ab".to_vec());
    assert_eq!(read(b"\x80\x03cbuiltins\nbytearray\nC\x02ab\x85R.").unwrap(), bytes);
}

#[test]
fn those_functions_are_not_called_in_other_ways() {
    for body in [
        &b"cbuiltins\nbytes\nJ\x00\x00\x00\x40\x85R."[..], // bytes(1 << 30)
        b"cbuiltins\nbytearray\nJ\x00\x00\x00\x40\x85R.",
        b"cbuiltins\nset\n}\x85R.",
        b"cbuiltins\nset\n)\x81.",
        b"c_codecs\nencode\n(Vab\nVrot13\ntR.",
        b"c_codecs\nencode\n(Vab\nVlatin1\nVignore\ntR.",
        b"(cbuiltins\nset\n]o.",
        b"(]ibuiltins\nset\n.",
    ] {
        assert_eq!(class_of(body), "UnpicklingError", "{body:?}");
    }
    assert_eq!(class_of(b"c_codecs\nencode\n(V\\u4f60\nVlatin1\ntR."), "UnicodeEncodeError");
}

#[test]
fn a_bare_function_is_no_value_but_a_class_that_is_named() {
    let error = read(b"cbuiltins\nset\n.").unwrap_err();
    assert!(error.text().contains("`builtins.set`"), "{error}");
}

#[test]
fn what_python_cannot_hash_is_no_key_and_no_item_of_a_set() {
    for (body, kind) in [
        (&b"}]Ns."[..], "list"),
        (b"}}Ns.", "dict"),
        (b"}\x8fNs.", "set"),
        (b"}\x96\0\0\0\0\0\0\0\0Ns.", "bytearray"),
        (b"}]\x85Ns.", "list"),
        (b"}K\x01}\x86\x85Ns.", "dict"),
        (b"\x8f(]\x90.", "list"),
        (b"(]\x85\x91.", "list"),
    ] {
        let error = read(body).unwrap_err();
        assert_eq!(error.class(), "TypeError", "{body:?}");
        assert_eq!(error.text(), format!("unhashable type: '{kind}'"));
    }
    assert!(read(b"}K\x01\x85(\x91Ns.").is_err());
    assert!(read(b"}(K\x01\x85\x91Ns.").is_ok());
}

#[test]
fn the_stack_is_not_read_below_a_mark() {
    for body in [
        &b"N(\x85."[..],
        b"N(2.",
        b"N(q\x00.",
        b"N(a.",
        b"(.",
        b"N\x86.",
        b"0.",
        b"1.",
        b"t.",
        b"e.",
        b"R.",
        b"N(R.",
        b"o.",
        b"(o.",
        b"b.",
        b"\x93.",
        b"\x94.",
        b"\x98.",
    ] {
        assert_eq!(class_of(body), "UnpicklingError", "{body:?}");
    }
    assert_eq!(read(b"N(0.").unwrap(), Value::Null);
}

#[test]
fn text_with_lone_surrogates_is_refused() {
    assert_eq!(class_of(b"\x80\x05\x8c\x03\xed\xa0\x80."), "UnicodeDecodeError");
    assert_eq!(class_of(b"V\\ud800\n."), "UnicodeDecodeError");
}

#[test]
fn strings_of_python_2_are_text_when_they_are_ascii() {
    assert_eq!(read(b"U\x02hi.").unwrap(), Value::from("hi"));
    assert_eq!(read(b"T\x02\0\0\0hi.").unwrap(), Value::from("hi"));
    assert_eq!(class_of(b"U\x01\xe9."), "UnicodeDecodeError");
    assert_eq!(class_of(b"T\xff\xff\xff\xff."), "UnpicklingError");
}

#[test]
fn a_read_only_bytearray_is_bytes() {
    let body = b"\x80\x05\x96\x01\0\0\0\0\0\0\0a\x98.";
    assert_eq!(read(body).unwrap(), Value::Bytes(b"a".to_vec()));
    assert_eq!(class_of(b"\x80\x05]\x98."), "TypeError");
}
