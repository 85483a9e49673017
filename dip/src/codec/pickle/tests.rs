//! The behaviour of reading and writing, one case after the other.

use super::{read, write};
use crate::codec::{BodyMut, DecodeError, DecodeLimits, EncodeError, PicklePolicy};
use crate::value::{Dict, Int, Object, Set, Value};

fn read(body: &[u8]) -> Result<Value, DecodeError> {
    read::read(body, &DecodeLimits::for_body(body.len()))
}

fn read_inert(body: &[u8]) -> Result<Value, DecodeError> {
    let mut limits = DecodeLimits::for_body(body.len());
    limits.pickle = PicklePolicy::inert();
    read::read(body, &limits)
}

fn write(value: &Value) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    let mut body = BodyMut::new(&mut out, usize::MAX);
    write::write(value, &mut body)?;
    body.finish()?;
    Ok(out)
}

fn class_of(body: &[u8]) -> &'static str {
    read(body).unwrap_err().class()
}

/// Runs on a thread with as much stack as a worker of tokio has.
fn on_small_stack(run: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap();
}

fn ints(ints: &[i64]) -> Vec<Value> {
    ints.iter().copied().map(Value::from).collect()
}

fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => *object,
        other => panic!("not an object: {other:?}"),
    }
}

mod plain_data {
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
}

mod hostile {
    use super::*;

    #[test]
    fn a_million_nested_lists_are_refused_without_overflow() {
        on_small_stack(|| {
            let mut limits = DecodeLimits::for_body(0);
            limits.decoded_size = usize::MAX;
            let mut body = vec![b']'; 1_000_000];
            body.resize(2 * body.len() - 1, b'a');
            body.push(b'.');
            assert_eq!(class_of(&body), "RecursionError");
            assert_eq!(read::read(&body, &limits).unwrap_err().class(), "RecursionError");
            let mut tuples = vec![b')'];
            tuples.resize(1_000_000, 0x85);
            tuples.push(b'.');
            assert_eq!(read::read(&tuples, &limits).unwrap_err().class(), "RecursionError");
        });
    }

    #[test]
    fn a_thousand_levels_are_read_and_written_but_not_one_more() {
        on_small_stack(|| {
            let nested = |levels: usize| {
                let mut body = vec![b']'; levels];
                body.resize(2 * levels - 1, b'a');
                body.push(b'.');
                body
            };
            let value = read(&nested(1000)).unwrap();
            assert_eq!(read(&write(&value).unwrap()).unwrap(), value);
            assert_eq!(class_of(&nested(1001)), "RecursionError");
            let deeper = Value::List(vec![value]);
            assert_eq!(write(&deeper).unwrap_err().class(), "RecursionError");
        });
    }

    #[test]
    fn keys_of_a_thousand_levels_are_hashed_and_compared_without_overflow() {
        on_small_stack(|| {
            let mut body = b"}(".to_vec();
            for _ in 0..2 {
                body.extend([b'('; 998]);
                body.extend([0x91; 998]);
                body.push(b'N');
            }
            body.extend(b"u.");
            let mut limits = DecodeLimits::for_body(0);
            limits.decoded_size = usize::MAX;
            match read::read(&body, &limits).unwrap() {
                Value::Dict(dict) => assert_eq!(dict.len(), 1),
                other => panic!("{other:?}"),
            }
        });
    }

    #[test]
    fn keys_that_cost_too_much_to_hash_are_refused() {
        let mut body = vec![b'('; 900];
        body.push(b'X');
        body.extend(1_000_000_u32.to_le_bytes());
        body.resize(body.len() + 1_000_000, b'x');
        body.extend([0x91; 900]);
        body.push(b'.');
        assert_eq!(class_of(&body), "MemoryError");
    }

    #[test]
    fn sets_of_equal_size_do_not_all_hash_alike() {
        let mut body = b"\x8f(".to_vec();
        for item in 0..50_000_u32 {
            body.extend(b"(J");
            body.extend(item.to_le_bytes());
            body.push(0x91);
        }
        body.extend(b"\x90.");
        let mut limits = DecodeLimits::for_body(body.len());
        limits.decoded_size = 64 << 20;
        let start = std::time::Instant::now();
        assert!(read::read(&body, &limits).is_ok());
        assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
    }

    #[test]
    fn a_memo_index_costs_nothing() {
        assert_eq!(read(b"Nr\xff\xff\xff\xff0j\xff\xff\xff\xff.").unwrap(), Value::Null);
        assert_eq!(read(b"Np99999999999999\n.").unwrap(), Value::Null);
        assert_eq!(class_of(b"Np-1\n."), "ValueError");
    }

    #[test]
    fn a_billion_laughs_are_refused() {
        on_small_stack(|| {
            // Each list holds the one before ten times.
            let mut body = b"\x80\x04]\x94".to_vec();
            for level in 0..30 {
                body.extend(b"](");
                body.extend([b'h', level].repeat(10));
                body.extend(b"e\x94");
            }
            body.push(b'.');
            assert_eq!(class_of(&body), "MemoryError");
            // The same of sets, which are hashed.
            let mut body = b"\x80\x04)\x94".to_vec();
            for level in 0..250 {
                body.extend([b'h', level, b'h', level, 0x86, 0x94]);
            }
            body.extend(b"(h\xfa\x91.");
            assert_eq!(class_of(&body), "MemoryError");
        });
    }

    #[test]
    fn text_in_many_places_is_charged_in_each() {
        let mut body = b"\x80\x04X\x00\x00\x10\x00".to_vec();
        body.resize(body.len() + (1 << 20), b'x');
        body.extend(b"\x940](");
        for _ in 0..14_000 {
            body.extend(b"h\x00");
        }
        body.extend(b"e.");
        assert_eq!(class_of(&body), "MemoryError");
    }

    #[test]
    fn calls_do_not_copy_for_free() {
        // set(items) over and over
        let mut body = b"cbuiltins\nset\n\x94](".to_vec();
        body.extend([b'K', 1].repeat(10_000));
        body.extend(b"e\x85\x940(");
        body.extend(b"h\x00h\x01R".repeat(10_000));
        body.extend(b"l.");
        assert_eq!(class_of(&body), "MemoryError");
    }

    #[test]
    fn what_contains_itself_is_refused() {
        for body in [
            &b"]q\x00h\x00a."[..],
            b"}q\x00K\x01h\x00s.",
            b"]q\x00(h\x00ta.",
            b"]q\x00]q\x01h\x00ah\x01a.",
        ] {
            let error = read(body).unwrap_err();
            assert_eq!(error.class(), "UnpicklingError");
            assert!(error.text().contains("contains itself"), "{error}");
        }
        assert!(read_inert(b"cm\nC\n)\x81q\x00}K\x01h\x00sb.").is_err());
    }

    #[test]
    fn integers_have_4_kib_at_most() {
        let long = |len: u32| {
            let mut body = vec![0x8b];
            body.extend(len.to_le_bytes());
            body.resize(body.len() + len as usize, 1);
            body.push(b'.');
            body
        };
        assert!(read(&long(4096)).is_ok());
        assert_eq!(class_of(&long(4097)), "ValueError");
        assert_eq!(class_of(b"\x8b\xff\xff\xff\x7f"), "ValueError");
    }

    #[test]
    fn an_announced_length_costs_nothing() {
        for body in [
            &b"X\xff\xff\xff\xff."[..],
            b"B\xff\xff\xff\xff.",
            b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff.",
            b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
            b"\x96\xff\xff\xff\xff\xff\xff\xff\x7f.",
            b"\x95\xff\xff\xff\xff\xff\xff\xff\x7fN.",
            b"T\xff\xff\xff\x7f.",
            b"Vabc",
        ] {
            assert_eq!(read(body).unwrap_err().text(), "pickle data was truncated", "{body:?}");
        }
    }

    #[test]
    fn errors_quote_64_characters_at_most() {
        let mut body = b"c".to_vec();
        body.resize(1_000_000, b'm');
        body.extend(b"\nname\x1b[31m\n.");
        assert!(read(&body).unwrap_err().text().len() < 300);
        assert!(!read(b"cm\n\x1b[31m\n.").unwrap_err().text().contains('\x1b'));
    }
}

mod inert {
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
        for body in
            [&b"\x82\x01."[..], b"\x83\x01\0.", b"\x84\x01\0\0\0.", b"Pid\n.", b"NQ.", b"\x97."]
        {
            assert_eq!(read_inert(body).unwrap_err().class(), "UnpicklingError");
        }
    }
}

mod writing {
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
}
