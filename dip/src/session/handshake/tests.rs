//! A client and a server meet, their bytes cut anywhere.

mod meeting;

use proptest::prelude::*;

use super::*;

const CLASSIC: &[u8] =
    b"UnsupportedProtoError('No protocol found in registry for message type: 5')";

fn fields(of: u8) -> Fields {
    Fields { instance: Some([of; 16]), ..Fields::default() }
}

fn hello() -> Hello {
    Hello::new(Fields { types: vec![(0x41, 1), (0x42, 2)], ..fields(1) })
}

fn accepted() -> Welcome {
    Welcome { version: 1, status: Status::Ok, fields: fields(2) }
}

fn refusal(status: Status, reason: &str) -> Step {
    Step::Refuse(Welcome::refuse(status, reason).encode())
}

/// What is heard of an answer that arrives byte by byte, once it is decided; `None` if it never is.
fn heard_at_last(answer: &[u8]) -> Option<(usize, Heard)> {
    let probe = Probe::new();
    (0..=answer.len())
        .map(|end| (end, probe.look(&answer[..end])))
        .find(|(_, heard)| *heard != Heard::More)
}

#[test]
fn a_hello_may_be_cut_anywhere_and_frames_may_follow() {
    let frame = hello().encode();
    let stream = [&frame[..], b"frames"].concat();
    for cut in 0..frame.len() {
        for end in [frame.len(), stream.len()] {
            let mut listening = Listening::default();
            assert_eq!(listening.received(&stream[..cut]), Step::More);
            let used = frame.len() - cut;
            let whole = Step::Hello { hello: Box::new(hello()), used };
            assert_eq!(listening.received(&stream[cut..end]), whole);
            assert_eq!(listening.frame(), frame);
        }
    }
}

#[test]
fn a_hello_may_come_byte_by_byte() {
    let frame = hello().encode();
    let (last, rest) = frame.split_last().unwrap();
    let mut listening = Listening::default();
    for byte in rest {
        assert_eq!(listening.received(&[*byte]), Step::More);
    }
    let whole = Step::Hello { hello: Box::new(hello()), used: 1 };
    assert_eq!(listening.received(&[*last]), whole);
}

#[test]
fn what_is_no_hello_is_refused_as_soon_as_that_is_seen() {
    for (bytes, reason) in [
        (&b"\x05\x00\x04\x00\x01"[..], "a preface of more than 256 KiB"),
        (b"\x05\xff\xff\xff\xff", "a preface of more than 256 KiB"),
        (b"\x05\x00\x00\x00\x07", "a preface that is cut"),
        (b"\x05\x00\x00\x00\x08dik", "a preface that is not dip's"),
    ] {
        let (last, rest) = bytes.split_last().unwrap();
        let mut listening = Listening::default();
        assert_eq!(listening.received(rest), Step::More);
        assert_eq!(listening.received(&[*last]), refusal(Status::Malformed, reason));
    }
}

#[test]
fn a_hello_is_read_to_its_end_before_it_is_refused() {
    let mut later = Hello { min_version: 2, max_version: 3, ..hello() }.encode();
    let mut wrong = hello().encode();
    // The tag of the first field becomes one that has to be understood.
    (later[13], wrong[13]) = (0xff, 0xff);
    let unknown = "a field that has to be understood, and is not";
    for (frame, status, reason) in [
        (later, Status::NoCommonVersion, "only version 1 is spoken here"),
        (wrong, Status::Malformed, unknown),
    ] {
        let (last, rest) = frame.split_last().unwrap();
        let mut listening = Listening::default();
        assert_eq!(listening.received(rest), Step::More);
        assert_eq!(listening.received(&[*last]), refusal(status, reason));
    }
}

#[test]
fn a_client_is_told_why_it_is_refused() {
    let mut listening = Listening::default();
    let Step::Refuse(answer) =
        listening.received(&Hello { min_version: 2, max_version: 2, ..hello() }.encode())
    else {
        panic!("a later version is accepted");
    };
    let reason = "only version 1 is spoken here".to_owned();
    let refused = Heard::Refused(Status::NoCommonVersion, reason);
    assert_eq!(heard_at_last(&answer), Some((answer.len(), refused)));
}

#[test]
fn a_refusal_without_a_reason_is_a_refusal() {
    let welcome = Welcome { status: Status::Unknown(9), version: 7, fields: Fields::default() };
    let refused = Heard::Refused(Status::Unknown(9), String::new());
    assert_eq!(Probe::new().look(&welcome.encode()), refused);
}

#[test]
fn the_room_for_a_hello_grows_as_it_comes() {
    let mut listening = Listening::default();
    assert_eq!(listening.received(b"\x05\x00\x04\x00\x00dip\0\x01\x01\0\0"), Step::More);
    assert!(listening.frame.capacity() <= 16, "{}", listening.frame.capacity());
    let field = 0x10_u8;
    let mut rest = vec![field];
    rest.extend_from_slice(&((256_u32 << 10) - 8 - 5).to_be_bytes());
    rest.resize((256 << 10) - 8, 0);
    let (last, rest) = rest.split_last().unwrap();
    for chunk in rest.chunks(999) {
        assert_eq!(listening.received(chunk), Step::More);
        assert!(listening.frame.capacity() <= 2 * listening.frame.len().max(999));
        assert!(listening.frame.capacity() <= (256 << 10) + 5);
    }
    assert_eq!(listening.received(&[*last]), refusal(Status::Malformed, "no instance"));
}

#[test]
fn the_answer_of_a_classic_server_is_known_word_for_word() {
    assert_eq!(CLASSIC.len(), 74);
    assert_eq!(Probe::new().classic.as_bytes(), CLASSIC);
    assert_eq!(heard_at_last(CLASSIC), Some((74, Heard::Classic)));
}

#[test]
fn a_classic_answer_with_something_behind_it_is_none() {
    let neither = Heard::NotDip(Malformed("an answer that belongs to neither wire"));
    for behind in [&b"\n"[..], b"ok", b"U", CLASSIC] {
        assert_eq!(Probe::new().look(&[CLASSIC, behind].concat()), neither);
    }
}

#[test]
fn an_answer_that_differs_in_a_byte_is_refused_at_that_byte() {
    for at in 0..CLASSIC.len() {
        let mut answer = CLASSIC.to_vec();
        answer[at] ^= 0x20;
        let neither = Heard::NotDip(Malformed("an answer that belongs to neither wire"));
        assert_eq!(heard_at_last(&answer), Some((at + 1, neither)));
    }
}

#[test]
fn a_hello_that_was_acknowledged_is_a_mistake_also_in_two_parts() {
    let probe = Probe::new();
    assert_eq!(probe.look(b""), Heard::More);
    assert_eq!(probe.look(b"o"), Heard::More);
    assert_eq!(probe.look(b"ok"), Heard::AckedByMistake);
    for answer in [&b"okay"[..], b"on", b"OK", b"k", b"HTTP/1.1 400 Bad Request\r\n", b"\x05"] {
        assert!(matches!(probe.look(answer), Heard::NotDip(_)), "{answer:?}");
    }
}

#[test]
fn a_welcome_may_be_cut_anywhere_and_frames_may_follow() {
    let frame = accepted().encode();
    let stream = [&frame[..], b"frames"].concat();
    let probe = Probe::new();
    for end in 0..=stream.len() {
        let whole = Heard::Welcome { welcome: Box::new(accepted()), used: frame.len() };
        let expected = if end < frame.len() { Heard::More } else { whole };
        assert_eq!(probe.look(&stream[..end]), expected, "{end} bytes");
    }
}

#[test]
fn a_welcome_that_cannot_be_obeyed_is_none() {
    let answer = |version, status, fields| Welcome { version, status, fields }.encode();
    for (answer, reason) in [
        (answer(0, Status::Ok, fields(2)), "a version that was not offered"),
        (answer(2, Status::Ok, fields(2)), "a version that was not offered"),
        (answer(1, Status::Ok, Fields::default()), "no instance"),
        (b"\x06\x00\x04\x00\x01".to_vec(), "a preface of more than 256 KiB"),
        (b"\x06\x00\x00\x00\x20d1".to_vec(), "a preface that is not dip's"),
    ] {
        let heard = heard_at_last(&answer);
        assert_eq!(heard, Some((answer.len(), Heard::NotDip(Malformed(reason)))));
    }
}

#[test]
fn types_differ_only_where_both_know_them() {
    let side = |types: &[(u32, u64)], schema_algorithm| Fields {
        types: types.to_vec(),
        schema_algorithm,
        ..Fields::default()
    };
    let ours = [(1, 10), (3, 30), (4, 40), (7, 70), (9, 90)];
    let theirs = [(2, 20), (3, 31), (4, 40), (6, 60), (7, 71), (8, 80)];
    let mismatched = |a, b| agree(&side(&ours, a), &side(&theirs, b)).mismatched;
    assert_eq!(mismatched(1, 1), [3, 7]);
    assert_eq!(agree(&side(&theirs, 1), &side(&ours, 1)).mismatched, [3, 7]);
    for (a, b) in [(0, 0), (0, 1), (1, 0), (1, 2)] {
        assert_eq!(mismatched(a, b), [0; 0]);
    }
}

#[test]
fn a_feature_is_what_both_have() {
    let side = |features| Fields { features, ..Fields::default() };
    assert_eq!(agree(&side(0b1011), &side(0b0110)).features, 0b0010);
}

proptest! {
    #[test]
    fn the_merge_finds_what_a_map_finds(
        ours in prop::collection::btree_map(0..12_u32, 0..3_u64, 0..12),
        theirs in prop::collection::btree_map(0..12_u32, 0..3_u64, 0..12),
    ) {
        let expected: Vec<u32> = ours
            .iter()
            .filter(|(mtype, schema)| theirs.get(mtype).is_some_and(|other| other != *schema))
            .map(|(mtype, _)| *mtype)
            .collect();
        let list = |map: std::collections::BTreeMap<u32, u64>| map.into_iter().collect::<Vec<_>>();
        prop_assert_eq!(mismatched(&list(ours), &list(theirs)), expected);
    }

    #[test]
    fn any_bytes_are_waited_for_or_decided(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        is_dip: bool,
        cut: prop::sample::Index,
    ) {
        let magic = if is_dip { &b"\0\0\0\x40dip\0"[..] } else { b"" };
        let with = |first: u8| [&[first], magic, &bytes].concat();
        let (hello, answer) = (with(Hello::FIRST), with(Welcome::FIRST));

        // Where a HELLO is cut changes nothing.
        let at_once = Listening::default().received(&hello);
        let at = cut.index(hello.len());
        let mut listening = Listening::default();
        let in_two = match listening.received(&hello[..at]) {
            Step::More => listening.received(&hello[at..]),
            decided => decided,
        };
        prop_assert_eq!(used_in_all(in_two, at), at_once);

        // What is decided stays decided when more comes.
        let probe = Probe::new();
        let first = heard_at_last(&answer).map(|(_, heard)| heard);
        prop_assert_eq!(first.unwrap_or(Heard::More), probe.look(&answer));
        probe.look(&bytes);
    }
}

/// The step as if what came before, `earlier` bytes, had come with it.
fn used_in_all(step: Step, earlier: usize) -> Step {
    match step {
        Step::Hello { hello, used } => Step::Hello { hello, used: used + earlier },
        step => step,
    }
}
