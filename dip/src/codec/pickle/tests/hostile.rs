//! Pickles that are made to cost time or memory.

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
