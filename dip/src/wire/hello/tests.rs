//! The tables, byte by byte, and what breaks them.

mod properties;

use uuid::Uuid;

use super::*;

const INSTANCE: &str = "02 00000010 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// The bytes of hexadecimal digits; blanks and `|` are for people.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    assert!(digits.len().is_multiple_of(2), "{text}");
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

/// A preface with this first byte, these two bytes behind the magic, and these fields.
fn preface(first: u8, behind_magic: [u8; 2], fields: &[u8]) -> Vec<u8> {
    let [a, b] = behind_magic;
    let mut frame = vec![first];
    frame.extend_from_slice(&(fields.len() as u32 + 8).to_be_bytes());
    frame.extend_from_slice(&[b'd', b'i', b'p', 0, a, b, 0, 0]);
    frame.extend_from_slice(fields);
    frame
}

fn minimal() -> Fields {
    Fields { instance: Some([0xaa; 16]), ..Fields::default() }
}

/// A HELLO with an instance and these fields, in hexadecimal.
fn hello_with(fields: &str) -> Vec<u8> {
    preface(0x05, [1, 1], &hex(&format!("{INSTANCE} {fields}")))
}

fn refused(frame: &[u8]) -> Refusal {
    Hello::parse(frame).unwrap_err()
}

fn malformed(reason: &'static str) -> Refusal {
    Refusal { status: Status::Malformed, reason }
}

/// Every field of the table: its bytes, and what they say.
fn table() -> Vec<(&'static str, Fields)> {
    let terms = |change: fn(&mut Terms)| {
        let mut fields = minimal();
        change(&mut fields.terms);
        fields
    };
    let with = |change: fn(&mut Fields)| {
        let mut fields = minimal();
        change(&mut fields);
        fields
    };
    let app = |fields: &mut Fields| {
        let [name, version, label] = ["dip", "0.1.0", "数"].map(str::to_owned);
        fields.app = Some(App { name, version, label, pid: 4711 });
    };
    vec![
        ("03 00000008 0000000001000001", terms(|terms| terms.max_message = (16 << 20) + 1)),
        ("04 00000004 00004000", terms(|terms| terms.max_piece = 16 << 10)),
        (
            "05 00000005 0001 0002 03",
            terms(|terms| {
                (terms.calls, terms.nested_calls, terms.deepest) = (1, 2, 3);
            }),
        ),
        ("06 00000004 00000001", terms(|terms| terms.notify_window = 1)),
        ("07 00000004 7fffffff", terms(|terms| terms.stream_window = i32::MAX as u32)),
        ("08 00000008 ffffffffffffffff", terms(|terms| terms.body_window = u64::MAX)),
        ("09 00000008 0000000000000002", with(|fields| fields.features = DURABLE_DEDUP)),
        ("09 00000008 0000000000000004", terms(|terms| terms.passive = true)),
        (
            "09 00000008 8000000000000005",
            with(|fields| {
                fields.terms.passive = true;
                fields.features = 1 << 63 | 1;
            }),
        ),
        (
            "0a 00000018 00000041 0102030405060708 | e6ef511b ffffffffffffffff",
            with(|fields| {
                fields.types = vec![(0x41, 0x0102_0304_0506_0708), (0xe6ef_511b, u64::MAX)];
            }),
        ),
        (
            "0b 00000020 bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
            with(|fields| fields.nonce = Some([0xbb; 32])),
        ),
        ("0d 00000004 62757379", with(|fields| fields.reason = Some("busy".to_owned()))),
        ("0e 00000012 03646970 05302e312e30 03e695b0 00001267", with(app)),
        ("0f 00000002 0102", with(|fields| fields.schema_algorithm = 0x0102)),
        (
            "0c 00000020 cccccccccccccccccccccccccccccccc cccccccccccccccccccccccccccccccc",
            with(|fields| fields.proof = Some([0xcc; 32])),
        ),
    ]
}

#[test]
fn the_worked_example() {
    let bytes =
        hex("05 0000001d 64697000 01 01 0000 | 02 00000010 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    let hello = Hello::new(minimal());
    assert_eq!(hello.encode(), bytes);
    assert_eq!(Hello::parse(&bytes), Ok(hello));
}

#[test]
fn every_field_of_the_table_goes_both_ways() {
    for (bytes, fields) in table() {
        let hello = Hello::new(fields.clone());
        assert_eq!(hello.encode(), hello_with(bytes), "{bytes}");
        assert_eq!(Hello::parse(&hello_with(bytes)), Ok(hello), "{bytes}");

        let frame = preface(0x06, [1, 0], &hex(&format!("{INSTANCE} {bytes}")));
        let welcome = Welcome { version: 1, status: Status::Ok, fields };
        assert_eq!(welcome.encode(), frame, "{bytes}");
        assert_eq!(Welcome::parse(&frame), Ok(welcome), "{bytes}");
    }
}

#[test]
fn a_label_stands_in_front_of_the_instance() {
    let label = "01 00000010 00000000 0000 0000 0000 00000dee9f03";
    let frame = preface(0x05, [1, 1], &hex(&format!("{label} {INSTANCE}")));
    let label = Uuid::from_u128(0x0dee_9f03);
    let hello = Hello::new(Fields { label: Some(label), ..minimal() });
    assert_eq!(hello.encode(), frame);
    assert_eq!(Hello::parse(&frame), Ok(hello));
}

#[test]
fn every_status_goes_both_ways() {
    let statuses = [
        Status::NoCommonVersion,
        Status::NotAuthorised,
        Status::Busy,
        Status::Malformed,
        Status::Unknown(5),
        Status::Unknown(255),
    ];
    for (status, byte) in statuses.into_iter().zip([1, 2, 3, 4, 5, 255]) {
        let frame = preface(0x06, [1, byte], &hex("0d 00000002 6e6f"));
        assert_eq!(Welcome::refuse(status, "no").encode(), frame);
        assert_eq!(Welcome::parse(&frame), Ok(Welcome::refuse(status, "no")));
    }
}

#[test]
fn what_is_absent_has_its_default() {
    let fields = Hello::parse(&hello_with("")).unwrap().fields;
    assert_eq!(fields, minimal());
    let Terms { max_message, max_piece, calls, nested_calls, deepest, .. } = fields.terms;
    assert_eq!((max_message, max_piece), (16 * 1024 * 1024, 256 * 1024));
    assert_eq!((calls, nested_calls, deepest), (256, 64, 16));
    let Terms { notify_window, stream_window, body_window, passive, .. } = fields.terms;
    assert_eq!((notify_window, stream_window), (1024, 256));
    assert_eq!((body_window, passive), (32 * 1024 * 1024, false));
    assert_eq!((fields.features, fields.schema_algorithm), (0, 0));
}

#[test]
fn fields_come_in_any_order_and_unknown_ones_are_skipped() {
    let frame =
        preface(0x05, [1, 1], &hex(&format!("7f 00000003 010203 | 10 00000000 | {INSTANCE}")));
    assert_eq!(Hello::parse(&frame).unwrap().fields, minimal());
    assert_eq!(
        Hello::parse(&hello_with(
            "04 00000004 00008000 | 01 00000010 00000000000000000000000000000000"
        ))
        .unwrap()
        .fields
        .label,
        Some(Uuid::nil())
    );
}

#[test]
fn a_later_version_is_named_before_its_fields_are_read() {
    let unreadable = hex("ff 00000000 00");
    for versions in [[2, 2], [2, 255], [0, 0]] {
        assert_eq!(refused(&preface(0x05, versions, &unreadable)), Refusal::NO_COMMON_VERSION);
    }
    let readable = hex(INSTANCE);
    for versions in [[1, 1], [1, 255], [0, 1], [0, 255]] {
        assert_eq!(Hello::parse(&preface(0x05, versions, &readable)).unwrap().version(), 1);
    }
}

#[test]
fn a_hello_that_breaks_a_rule_is_refused_by_name() {
    let nil = "00000000000000000000000000000000";
    let proof = format!("0c 00000020 {nil}{nil}");
    let length = "a field of the wrong length";
    let window = "a window of no units, or of too many";
    let app = "an app that is cut";
    for (fields, reason) in [
        ("80 00000000", "a field that has to be understood, and is not"),
        ("ff 00000001 00", "a field that has to be understood, and is not"),
        (INSTANCE, "a field twice"),
        ("10 00000000 10 00000000", "a field twice"),
        (&format!("{proof} 0f 00000002 0001"), "a field behind the proof"),
        (&format!("{proof} 10 00000000"), "a field behind the proof"),
        ("10", "a field that is cut"),
        ("10 000000", "a field that is cut"),
        ("10 00000001", "a field that is cut"),
        ("10 ffffffff 00", "a field that is cut"),
        ("01 0000000f 000000000000000000000000000000", length),
        ("03 00000007 00000000000001", length),
        ("04 00000005 0000040000", length),
        ("05 00000004 00000000", length),
        ("06 00000000", length),
        ("07 00000003 000001", length),
        ("08 00000009 000000000200000000", length),
        ("09 00000004 00000000", length),
        ("0b 00000001 00", length),
        ("0c 00000001 00", length),
        ("0f 00000001 00", length),
        ("04 00000004 00003fff", "pieces of less than 16 KiB"),
        ("06 00000004 00000000", window),
        ("06 00000004 80000000", window),
        ("07 00000004 00000000", window),
        ("07 00000004 ffffffff", window),
        ("08 00000008 0000000000ffffff", "a body window smaller than a message"),
        ("03 00000008 0000000002000001", "a body window smaller than a message"),
        ("0a 0000000b 00000041 00000000000000", "a list of types that is cut"),
        (
            "0a 00000018 00000042 0000000000000000 00000041 0000000000000000",
            "a list of types that does not ascend",
        ),
        (
            "0a 00000018 00000041 0000000000000000 00000041 0000000000000000",
            "a list of types that does not ascend",
        ),
        ("0d 00000001 ff", "a reason that is not UTF-8"),
        (&format!("0d 00000101 {}", "61".repeat(257)), "a reason of more than 256 bytes"),
        ("0e 00000000", app),
        ("0e 00000002 0261", app),
        ("0e 00000002 0000", app),
        ("0e 00000005 01ff 000000", "an app whose text is not UTF-8"),
        ("0e 00000006 000000 000000", "an app whose pid is not 4 bytes"),
        ("0e 00000008 000000 0000000000", "an app whose pid is not 4 bytes"),
    ] {
        assert_eq!(refused(&hello_with(fields)), malformed(reason), "{fields}");
    }
}

#[test]
fn what_just_keeps_to_a_limit_is_accepted() {
    let window = hello_with("08 00000008 0000000001000000");
    let terms = Hello::parse(&window).unwrap().fields.terms;
    assert_eq!(terms.body_window, terms.max_message);
    let reason = hello_with(&format!("0d 00000100 {}", "61".repeat(256)));
    assert_eq!(Hello::parse(&reason).unwrap().fields.reason, Some("a".repeat(256)));
}

#[test]
fn an_instance_is_required_of_who_is_to_be_obeyed() {
    assert_eq!(refused(&preface(0x05, [1, 1], &[])), malformed("no instance"));
    assert_eq!(Welcome::parse(&preface(0x06, [1, 0], &[])), Err(Malformed("no instance")));
    assert!(Welcome::parse(&preface(0x06, [1, 3], &[])).is_ok());
    let short = preface(0x05, [1, 1], &hex("02 0000000f aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
    assert_eq!(refused(&short), malformed("a field of the wrong length"));
}

#[test]
fn the_header_is_checked_byte_by_byte() {
    let good = hello_with("");
    for (at, byte, reason) in [
        (0, 0x06, "another frame where the preface is due"),
        (1, 0x01, "a preface of more than 256 KiB"),
        (4, 0x07, "a preface that is cut"),
        (4, 0x1c, "a preface that is cut"),
        (5, b'D', "a preface that is not dip's"),
        (8, 0x01, "a preface that is not dip's"),
        (9, 0x02, "a lowest version above the highest"),
        (11, 0x01, "a preface with unknown flags"),
        (12, 0x80, "a preface with unknown flags"),
    ] {
        let mut frame = good.clone();
        frame[at] = byte;
        assert_eq!(refused(&frame), malformed(reason), "byte {at}");
    }
    let behind = [&good[..], &[0]].concat();
    assert_eq!(refused(&behind), malformed("a preface that is cut"));
}

#[test]
fn a_preface_has_at_most_256_kib() {
    let filled = |len: usize| {
        let rest = len - 8 - 21 - 5;
        let mut fields = hex(INSTANCE);
        fields.push(0x10);
        fields.extend_from_slice(&(rest as u32).to_be_bytes());
        fields.resize(fields.len() + rest, 0);
        preface(0x05, [1, 1], &fields)
    };
    assert!(Hello::parse(&filled(256 * 1024)).is_ok());
    let reason = "a preface of more than 256 KiB";
    assert_eq!(refused(&filled(256 * 1024 + 1)), malformed(reason));
    // What is too long is refused before it is there.
    assert_eq!(Hello::extent(&hex("05 00040001")), Err(Malformed(reason)));
    assert_eq!(Hello::extent(&hex("05 00040000")), Ok(Some(256 * 1024 + 5)));
    assert_eq!(Hello::extent(&hex("05 000400")), Ok(None));
}

#[test]
fn a_refusal_is_read_in_spite_of_later_fields() {
    let frame = preface(0x06, [9, 1], &hex("ff 00000001 00 | 0d 00000002 6e6f"));
    let refusal = Welcome { version: 9, ..Welcome::refuse(Status::NoCommonVersion, "no") };
    assert_eq!(Welcome::parse(&frame), Ok(refusal));
    let accepted = preface(0x06, [1, 0], &hex(&format!("{INSTANCE} ff 00000001 00")));
    let reason = "a field that has to be understood, and is not";
    assert_eq!(Welcome::parse(&accepted), Err(Malformed(reason)));
}

#[test]
fn what_is_too_long_is_cut_when_it_is_sent() {
    let long = "数".repeat(1000);
    let app = App { name: long.clone(), version: long.clone(), label: long.clone(), pid: 1 };
    let types: Vec<_> = (0..100_000).map(|mtype| (mtype, u64::MAX)).collect();
    let fields = Fields {
        label: Some(Uuid::max()),
        terms: Terms { passive: true, body_window: u64::MAX, ..Terms::default() },
        types: types.clone(),
        nonce: Some([1; 32]),
        proof: Some([2; 32]),
        reason: Some(long.clone()),
        app: Some(app),
        schema_algorithm: 1,
        ..minimal()
    };
    let read = Hello::parse(&Hello::new(fields).encode()).unwrap().fields;
    assert_eq!(read.types, types[..16_384]);
    assert_eq!(read.reason.as_deref(), Some(&long[..255]));
    let texts = read.app.map(|app| [app.name, app.version, app.label]).unwrap();
    assert_eq!(texts, [&long[..255]; 3]);
}

#[test]
fn a_proof_is_over_all_that_stands_in_front_of_it() {
    let fields = Fields { nonce: Some([1; 32]), proof: Some([2; 32]), ..minimal() };
    let frame = Welcome { version: 1, status: Status::Ok, fields }.encode();
    let proven = hex(&format!(
        "06 00000067 64697000 01 00 0000 | {INSTANCE} | 0b 00000020 {}",
        "01".repeat(32)
    ));
    assert_eq!(Welcome::unproven(&frame), proven);
    assert_eq!(frame[proven.len()..], hex(&format!("0c 00000020 {}", "02".repeat(32))));
    assert_eq!(Welcome::unproven(&[]), [0; 0]);
}

#[test]
fn an_auth_is_a_frame_of_a_proof() {
    let bytes = hex(&format!("0d 00 0000 00000000 00000000 00000020 | {}", "ab".repeat(32)));
    assert_eq!(auth(&[0xab; 32]), bytes);
}
