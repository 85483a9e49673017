//! Field records and lists of any content, cut anywhere, and any bytes at all.

use dip::Value;
use dip::builtin::{SubtaskOut, TaskUpdate};
use dip::codec::{Body, BodyMut, DecodeError, DecodeLimits};
use dip::{Protocol, value::Dict};
use proptest::prelude::*;

/// In front of each field: its index and its length.
const RECORD: usize = 6;
/// In front of each element: its type and its length.
const ELEMENT: usize = 5;

/// A list of messages of one's own.
#[derive(Clone, Debug, PartialEq, Protocol)]
#[mtype(b'w')]
#[protocol(codec = text)]
struct Word(String);

#[derive(Clone, Debug, PartialEq, Protocol)]
#[mtype(b'W')]
#[protocol(codec = list)]
struct Words(Vec<Word>);

fn encode<M: Protocol>(message: &M) -> Vec<u8> {
    let mut out = Vec::new();
    let mut body = BodyMut::new(&mut out, 1 << 20);
    message.encode(&mut body).unwrap();
    body.finish().unwrap();
    out
}

fn decode<M: Protocol>(body: &[u8]) -> Result<M, DecodeError> {
    M::decode(Body::from(body), &DecodeLimits::for_body(body.len()))
}

fn records() -> impl Strategy<Value = SubtaskOut> {
    any::<(Option<String>, Option<String>)>()
        .prop_map(|(arg, subtask_out)| SubtaskOut { arg, subtask_out })
}

fn words() -> impl Strategy<Value = Words> {
    prop::collection::vec(any::<String>().prop_map(Word), 0..6).prop_map(Words)
}

fn updates() -> impl Strategy<Value = TaskUpdate> {
    let item = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::collection::vec((any::<String>(), any::<bool>()), 0..4)
            .prop_map(|entries| Value::Dict(entries.into_iter().collect::<Dict>())),
    ];
    prop::collection::vec(item, 0..6).prop_map(TaskUpdate)
}

/// Bytes that often look like records or elements.
fn near_misses() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(0), Just(b'J'), Just(b'w'), 0..4_u8, Just(b'1'), any::<u8>()];
    prop::collection::vec(byte, 0..48)
}

proptest! {
    #[test]
    fn a_record_is_read_back_and_cut_only_between_fields(record in records()) {
        let body = encode(&record);
        prop_assert_eq!(&decode::<SubtaskOut>(&body).unwrap(), &record);
        let first = record.arg.as_ref().map(|arg| RECORD + arg.len());
        for end in 0..body.len() {
            match decode::<SubtaskOut>(&body[..end]) {
                Ok(shorter) if end == 0 => prop_assert_eq!(shorter, SubtaskOut::default()),
                Ok(shorter) => {
                    prop_assert_eq!(Some(end), first);
                    prop_assert_eq!(shorter, SubtaskOut { subtask_out: None, ..record.clone() });
                }
                Err(_) => prop_assert!(end != 0 && Some(end) != first),
            }
        }
    }

    #[test]
    fn a_list_is_read_back_and_cut_only_between_elements(words in words()) {
        let body = encode(&words);
        prop_assert_eq!(&decode::<Words>(&body).unwrap(), &words);
        let (mut whole, mut next) = (0, 0);
        for end in 0..body.len() {
            if end == next {
                prop_assert_eq!(decode::<Words>(&body[..end]).unwrap().0, &words.0[..whole]);
                next += ELEMENT + words.0[whole].0.len();
                whole += 1;
            } else {
                prop_assert!(decode::<Words>(&body[..end]).is_err());
            }
        }
    }

    #[test]
    fn an_update_is_read_back_and_cut_only_between_elements(update in updates()) {
        let body = encode(&update);
        prop_assert_eq!(&decode::<TaskUpdate>(&body).unwrap(), &update);
        let mut whole = 0;
        for end in 0..body.len() {
            if let Ok(shorter) = decode::<TaskUpdate>(&body[..end]) {
                prop_assert_eq!(&shorter.0, &update.0[..whole]);
                prop_assert_eq!(encode(&shorter), &body[..end]);
                whole += 1;
            }
        }
        prop_assert_eq!(whole, update.0.len());
    }

    #[test]
    fn any_bytes_are_a_record_or_refused(body in near_misses()) {
        if let Ok(record) = decode::<SubtaskOut>(&body) {
            prop_assert_eq!(decode::<SubtaskOut>(&encode(&record)).unwrap(), record);
        }
    }

    #[test]
    fn any_bytes_are_a_list_or_refused(body in near_misses()) {
        if let Ok(words) = decode::<Words>(&body) {
            prop_assert_eq!(encode(&words), &body[..]);
        }
        if let Ok(update) = decode::<TaskUpdate>(&body) {
            prop_assert_eq!(decode::<TaskUpdate>(&encode(&update)).unwrap(), update);
        }
    }
}

/// Each element for itself may take the whole budget; together they may not take more.
#[test]
fn the_elements_of_a_list_share_one_budget() {
    let limits = |decoded_size| {
        let mut limits = DecodeLimits::for_body(0);
        limits.decoded_size = decoded_size;
        limits
    };
    // 101 bytes of text that take some 1,700 in memory, ten times.
    let mut body = Vec::new();
    for _ in 0..10 {
        let text = format!("[{}0]", "0,".repeat(49));
        body.extend([b'J', 0, 0, 0, 101]);
        body.extend(text.as_bytes());
    }
    let decode = |size| TaskUpdate::<Value>::decode(Body::from(&*body), &limits(size));
    assert_eq!(decode(8000).unwrap_err().class(), "MemoryError");
    assert_eq!(decode(80_000).unwrap().0.len(), 10);
}
