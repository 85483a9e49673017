//! Objects as inert values.

use super::*;

#[test]
fn a_class_is_refused_with_what_to_send_instead() {
    assert_eq!(
        read(b"cdatetime\ndatetime\n.").unwrap_err().text(),
        "a pickled `datetime.datetime` is not plain data: send its isoformat() text instead, \
         or allow inert objects with PicklePolicy::inert()"
    );
}

#[test]
fn a_call_is_its_class_and_arguments() {
    let made = object(read_inert(b"cdecimal\nDecimal\n(V1.5\ntR.").unwrap());
    assert_eq!(made.class, "decimal.Decimal");
    assert_eq!(made.args, [Value::from("1.5")]);
}

#[test]
fn keywords_state_items_and_entries_are_kept() {
    let body = b"\x80\x04cm\nC\nK\x01\x85}Vk\nK\x02s\x92(K\x03K\x04e(K\x05K\x06u}Vs\nK\x07sb.";
    let made = object(read_inert(body).unwrap());
    assert_eq!(made.class, "m.C");
    assert_eq!(made.args, ints(&[1]));
    assert_eq!(made.kwargs, Dict::from_iter([("k", 2_i64)]));
    assert_eq!(made.items, ints(&[3, 4]));
    assert_eq!(made.entries, [(Value::from(5_i64), Value::from(6_i64))]);
    assert_eq!(made.state, Some(Value::Dict(Dict::from_iter([("s", 7_i64)]))));
}

#[test]
fn an_object_is_the_same_however_a_protocol_makes_it() {
    let new = read_inert(b"cm\nC\n)\x81}Va\nK\x01sb.").unwrap();
    for body in [
        &b"ccopy_reg\n_reconstructor\n(cm\nC\nc__builtin__\nobject\nNtR}Va\nK\x01sb."[..],
        b"ccopyreg\n__newobj__\ncm\nC\n\x85R}Va\nK\x01sb.",
        b"ccopyreg\n__newobj_ex__\ncm\nC\n)}\x87R}Va\nK\x01sb.",
        b"(im\nC\n}Va\nK\x01sb.",
        b"(cm\nC\no}Va\nK\x01sb.",
    ] {
        assert_eq!(read_inert(body).unwrap(), new, "{body:?}");
    }
}

#[test]
fn functions_in_arguments_stay_names() {
    let body = b"cfunctools\npartial\ncbuiltins\nset\n\x85R.";
    let made = object(read_inert(body).unwrap());
    assert_eq!(object(made.args[0].clone()).class, "builtins.set");
}

#[test]
fn objects_are_keys() {
    let body = b"}cuuid\nUUID\n)\x81}Vint\nK\x01sbNs.";
    assert!(matches!(read_inert(body).unwrap(), Value::Dict(dict) if dict.len() == 1));
}

#[test]
fn what_no_inert_object_can_say_is_refused() {
    for body in [
        &b"coperator\nattrgetter\n(Va\ntRN\x85R."[..], // attrgetter('a')(None)
        b"cm\nC\n}b.",                                 // the state of a class
        b"cm\nC\nNa.",
        b"cm\nC\nNNs.",
        b"cm\nC\n)R}b}b.",
        b"Ncm\nf\n)R0.", // a call that is thrown away
        b"N(cm\nf\n)R1.",
        b"cm\nC\n)\x81(N\x90.",
    ] {
        let class = read_inert(body).unwrap_err().class();
        assert!(["UnpicklingError", "AttributeError", "TypeError"].contains(&class));
    }
    assert_eq!(read_inert(b"cm\nC\n)}K\x01K\x02s\x92.").unwrap_err().class(), "TypeError");
    assert_eq!(read_inert(b"N)R.").unwrap_err().class(), "TypeError");
}

#[test]
fn numbers_and_persistent_names_of_classes_are_refused_all_the_same() {
    for body in [&b"\x82\x01."[..], b"\x83\x01\0.", b"\x84\x01\0\0\0.", b"Pid\n.", b"NQ.", b"\x97."]
    {
        assert_eq!(read_inert(body).unwrap_err().class(), "UnpicklingError");
    }
}
