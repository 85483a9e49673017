//! Golden bytes of every row of the tables, both ways.

use proptest::prelude::*;

use super::metadata::MessageId;
use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn parse(text: &str) -> Result<Header, Malformed> {
    Header::parse(hex(text).try_into().unwrap())
}

fn header(kind: Kind) -> Header {
    Header::new(kind, 0x0102_0304)
}

#[test]
fn the_worked_example() {
    let golden = hex("01 00 0007 00000001 00000041 00000002 | 03 0004 000007d0 | 02 04");
    let metadata = Metadata { deadline: Some(2000), ..Metadata::default() };
    let header = Header {
        metadata: metadata.encoded_len(),
        mtype: 0x41,
        body: 2,
        ..Header::new(Kind::Request, 1)
    };
    let mut frame = header.encode().to_vec();
    metadata.encode(&mut frame);
    frame.extend_from_slice(&[2, 4]);
    assert_eq!(frame, golden);
    let (front, rest) = golden.split_first_chunk::<HEADER>().unwrap();
    assert_eq!(Header::parse(*front), Ok(header));
    assert_eq!(Metadata::parse(&rest[..7]), Ok(metadata));
}

#[test]
fn every_kind_has_its_number() {
    let numbers = [
        (Kind::Request, 0x01),
        (Kind::Reply, 0x02),
        (Kind::Error, 0x03),
        (Kind::Notify, 0x04),
        (Kind::Item, 0x05),
        (Kind::End, 0x06),
        (Kind::Credit, 0x07),
        (Kind::Cancel, 0x08),
        (Kind::Stop, 0x09),
        (Kind::Ping, 0x0a),
        (Kind::Pong, 0x0b),
        (Kind::Goaway, 0x0c),
        (Kind::Auth, 0x0d),
    ];
    assert_eq!(numbers.map(|(kind, _)| kind), Kind::ALL);
    for (kind, number) in numbers {
        let bytes = header(kind).encode();
        let golden = [number, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(bytes, golden, "{kind:?}");
        assert_eq!(Header::parse(golden), Ok(header(kind)));
    }
}

#[test]
fn every_other_number_is_refused_or_skipped() {
    for number in 0..=255_u8 {
        let mut bytes = header(Kind::Auth).encode();
        bytes[0] = number;
        let parsed = Header::parse(bytes).map(|header| header.kind);
        match number {
            0x01..=0x0d => assert!(matches!(parsed, Ok(Some(_))), "{number:#x}"),
            0x80.. => assert_eq!(parsed, Ok(None), "{number:#x}"),
            _ => assert!(parsed.is_err(), "{number:#x}"),
        }
    }
}

#[test]
fn each_field_of_a_header_has_its_place() {
    let golden = hex("04 01 000b 01020304 800000ff 00010002");
    let header = Header {
        kind: Some(Kind::Notify),
        more: true,
        metadata: 11,
        call: 0x0102_0304,
        mtype: 0x8000_00ff,
        body: 0x0001_0002,
    };
    assert_eq!(header.encode(), golden[..]);
    assert_eq!(Header::parse(golden.try_into().unwrap()), Ok(header));
}

#[test]
fn a_header_says_nothing_that_its_kind_does_not_have() {
    for (text, what) in [
        ("01 02 0000 00000001 00000041 00000000", "an unknown flag"),
        ("01 80 0000 00000001 00000041 00000000", "another"),
        ("02 00 0000 00000001 00000041 00000000", "a type in a reply"),
        ("0a 00 0000 00000000 00000041 00000008", "a type in a ping"),
        ("08 01 0000 00000001 00000000 00000000", "a cancel in pieces"),
        ("0a 01 0000 00000000 00000000 00000008", "a ping in pieces"),
        ("01 00 0401 00000001 00000041 00000000", "metadata of 1025 bytes"),
    ] {
        assert!(parse(text).is_err(), "{what}");
    }
    assert!(parse("01 01 0400 00000001 00000041 ffffffff").is_ok());
    assert!(parse("80 ff ffff 00000001 00000041 ffffffff").is_ok(), "of a later version");
    for kind in Kind::ALL {
        use Kind::{End, Error, Item, Notify, Reply, Request};
        let in_pieces = Header { more: true, ..header(kind) }.encode();
        let may = matches!(kind, Request | Reply | Error | Notify | Item | End);
        assert_eq!(Header::parse(in_pieces).is_ok(), may, "{kind:?}");
        let typed = Header { mtype: 7, ..header(kind) }.encode();
        assert_eq!(Header::parse(typed).is_ok(), matches!(kind, Request | Notify), "{kind:?}");
    }
}

#[test]
fn every_tag_has_its_number_and_its_value() {
    let trace = std::array::from_fn(|at| at as u8);
    let message_id = MessageId { sequence: 0x0102, settled_below: 0x0101 };
    let none = Metadata::default;
    for (golden, metadata) in [
        ("", none()),
        ("81 0008 0000000000030d40", Metadata { total: Some(200_000), ..none() }),
        ("82 0004 00000007", Metadata { parent: Some(7), ..none() }),
        ("03 0004 000007d0", Metadata { deadline: Some(2000), ..none() }),
        (
            "84 0010 0000000000000102 0000000000000101",
            Metadata { message_id: Some(message_id), ..none() },
        ),
        (
            "05 0019 000102030405060708090a0b0c0d0e0f 1011121314151617 18",
            Metadata { trace: Some(trace), ..none() },
        ),
    ] {
        let golden = hex(golden);
        let mut bytes = Vec::new();
        metadata.encode(&mut bytes);
        assert_eq!(bytes, golden);
        assert_eq!(usize::from(metadata.encoded_len()), golden.len());
        assert_eq!(Metadata::parse(&golden), Ok(metadata));
    }
}

#[test]
fn unknown_tags_are_skipped_or_told_of() {
    let skipped = hex("06 0002 ffff 03 0004 00000001 7f 0000");
    let deadline = Metadata { deadline: Some(1), ..Metadata::default() };
    assert_eq!(Metadata::parse(&skipped), Ok(deadline));
    let critical = hex("86 0001 ff 03 0004 00000001");
    let unsupported = Metadata { unsupported: Some(0x86), ..deadline };
    assert_eq!(Metadata::parse(&critical), Ok(unsupported));
}

#[test]
fn metadata_that_does_not_add_up_is_malformed() {
    for text in [
        "03",
        "03 00",
        "03 0004 000000",
        "03 0004 00000000",
        "03 0003 000001",
        "03 0005 0000000001",
        "03 0004 00000001 03 0004 00000001",
        "06 0000 06 0000",
        "81 0004 00000001",
        "82 0008 0000000000000001",
        "84 0008 0000000000000001",
        "05 0018 000102030405060708090a0b0c0d0e0f1011121314151617",
    ] {
        assert!(Metadata::parse(&hex(text)).is_err(), "{text}");
    }
}

#[test]
fn bodies_are_as_the_table_says() {
    let failure = Failure { code: 16, handled: 2, text: "ä!", detail: &[9, 8] };
    let golden = hex("0010 02 0003 c3a421 0908");
    let mut bytes = Vec::new();
    failure.encode(&mut bytes);
    assert_eq!(bytes, golden);
    assert_eq!(Failure::parse(&golden), Ok(failure));

    let ends = [
        ("00", End::Done(&[])),
        ("00 0102", End::Done(&[1, 2])),
        ("01 0010 02 0003 c3a421 0908", End::Failed(failure)),
    ];
    for (golden, end) in ends {
        let mut bytes = Vec::new();
        end.encode(&mut bytes);
        assert_eq!(bytes, hex(golden));
        assert_eq!(End::parse(&bytes), Ok(end));
    }

    for (golden, kind) in [
        ("01 0000012c", CreditKind::Notify),
        ("02 0000012c", CreditKind::Stream),
        ("03 0000012c", CreditKind::Body),
    ] {
        let credit = Credit { kind, amount: 300 };
        assert_eq!(credit.encode(), hex(golden)[..]);
        assert_eq!(Credit::parse(&hex(golden)), Ok(credit));
    }

    let goaway = Goaway { reason: 8, text: "bye" };
    let mut bytes = Vec::new();
    goaway.encode(&mut bytes);
    assert_eq!(bytes, hex("0008 627965"));
    assert_eq!(Goaway::parse(&bytes), Ok(goaway));
}

#[test]
fn bodies_that_are_cut_or_say_too_much_are_malformed() {
    for text in ["", "0010 02 00", "0010 02 0003 c3a4", "0010 03 0000", "0010 02 0001 c3"] {
        assert!(Failure::parse(&hex(text)).is_err(), "{text}");
    }
    for text in ["", "02", "01", "01 0010"] {
        assert!(End::parse(&hex(text)).is_err(), "{text}");
    }
    for text in ["", "01 000001", "01 0000000101", "00 00000001", "04 00000001"] {
        assert!(Credit::parse(&hex(text)).is_err(), "{text}");
    }
    for text in ["", "00", "0000 ff"] {
        assert!(Goaway::parse(&hex(text)).is_err(), "{text}");
    }
}

#[test]
fn the_codes_that_the_session_says_have_their_numbers() {
    use crate::reply::Code;
    for (number, code) in [
        (code::TOO_LARGE, Code::TooLarge),
        (code::OVERLOADED, Code::Overloaded),
        (code::SHUTTING_DOWN, Code::ShuttingDown),
        (code::DEADLINE, Code::Deadline),
        (code::CANCELLED, Code::Cancelled),
        (code::TOO_DEEP, Code::TooDeep),
        (code::REPLY_TOO_LARGE, Code::ReplyTooLarge),
        (code::UNSUPPORTED, Code::Unsupported),
    ] {
        assert_eq!(number, code.number());
    }
}

#[test]
fn a_text_longer_than_its_length_can_say_is_cut_between_characters() {
    let mut body = Vec::new();
    let text = "ä".repeat(40_000);
    Failure { code: 15, handled: 2, text: &text, detail: b"d" }.encode(&mut body);
    let failure = Failure::parse(&body).unwrap();
    assert_eq!((failure.text.len(), failure.detail), (65_534, &b"d"[..]));
}

fn any_header() -> impl Strategy<Value = Header> {
    let kind = proptest::sample::select(&Kind::ALL[..]);
    (kind, any::<bool>(), 0..=1024_u16, any::<u32>(), any::<u32>(), any::<u32>()).prop_map(
        |(kind, more, metadata, call, mtype, body)| {
            let more = more && kind.has_pieces();
            let mtype = if matches!(kind, Kind::Request | Kind::Notify) { mtype } else { 0 };
            Header { kind: Some(kind), more, metadata, call, mtype, body }
        },
    )
}

proptest! {
    #[test]
    fn a_header_is_read_as_it_was_written(header in any_header()) {
        prop_assert_eq!(Header::parse(header.encode()), Ok(header));
    }

    /// Each kind of plain frame, and heads that differ from it in a byte: these are plain only if they
    /// still say the same to who reads them the long way.
    #[test]
    fn a_plain_head_is_one_that_says_no_more(
        which in 0..3, call: u32, mtype: u32, body: u32, left in 1..=u32::MAX,
        behind: [u8; 3], changed in prop::option::of((0_usize..23, 1_u8..)),
    ) {
        let (kind, metadata) = match which {
            0 => (PlainKind::Notice { mtype }, Vec::new()),
            1 => (PlainKind::Reply { call }, Vec::new()),
            _ => (PlainKind::Request { call, mtype, left }, Metadata::timed(left).to_vec()),
        };
        let header = match which {
            0 => Header { mtype, ..Header::new(Kind::Notify, 0) },
            1 => Header::new(Kind::Reply, call),
            _ => Header { mtype, metadata: metadata.len() as u16, ..Header::new(Kind::Request, call) },
        };
        let head = HEADER + metadata.len();
        let mut bytes = Header { body, ..header }.encode().to_vec();
        bytes.extend(metadata);
        for len in 0..head {
            prop_assert_eq!(Plain::parse(&bytes[..len]), None);
        }
        bytes.extend(behind);
        prop_assert_eq!(Plain::parse(&bytes), Some(Plain { kind, head, body }));
        let Some((at, by)) = changed.filter(|(at, _)| *at < head) else { return Ok(()) };
        bytes[at] ^= by;
        let Some(plain) = Plain::parse(&bytes) else { return Ok(()) };
        let header = Header::parse(*bytes.first_chunk().unwrap()).unwrap();
        let metadata = Metadata::parse(&bytes[HEADER..plain.head]).unwrap();
        prop_assert_eq!(usize::from(header.metadata), plain.head - HEADER);
        prop_assert_eq!((header.body, header.more), (plain.body, false));
        let (kind, call, mtype, deadline) = match plain.kind {
            PlainKind::Notice { mtype } => (Kind::Notify, 0, mtype, None),
            PlainKind::Reply { call } => (Kind::Reply, call, 0, None),
            PlainKind::Request { call, mtype, left } => (Kind::Request, call, mtype, Some(left)),
        };
        prop_assert_eq!((header.kind, header.call, header.mtype), (Some(kind), call, mtype));
        prop_assert_eq!(metadata, Metadata { deadline, ..Metadata::default() });
    }

    #[test]
    fn metadata_is_read_as_it_was_written(
        total: Option<u64>,
        parent: Option<u32>,
        deadline in proptest::option::of(1..=u32::MAX),
        message_id: Option<(u64, u64)>,
        trace: Option<[u8; 25]>,
    ) {
        let id = |(sequence, settled_below)| MessageId { sequence, settled_below };
        let message_id = message_id.map(id);
        let metadata =
            Metadata { total, parent, deadline, message_id, trace, unsupported: None };
        let mut bytes = Vec::new();
        metadata.encode(&mut bytes);
        prop_assert_eq!(usize::from(metadata.encoded_len()), bytes.len());
        prop_assert_eq!(Metadata::parse(&bytes), Ok(metadata));
    }

    #[test]
    fn a_failure_is_read_as_it_was_written(
        code: u16, handled in 0..=2_u8, text: String, detail: Vec<u8>,
    ) {
        let failure = Failure { code, handled, text: &text, detail: &detail };
        let mut bytes = Vec::new();
        failure.encode(&mut bytes);
        prop_assert_eq!(Failure::parse(&bytes), Ok(failure));
    }

    #[test]
    fn no_bytes_make_a_parser_panic(header: [u8; 16], bytes: Vec<u8>) {
        let _ = Header::parse(header);
        let _ = Metadata::parse(&bytes);
        let _ = Failure::parse(&bytes);
        let _ = End::parse(&bytes);
        let _ = Credit::parse(&bytes);
        let _ = Goaway::parse(&bytes);
    }
}
