//! bincode on the stack of a usual thread: what is written, what is refused, what it may cost.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;
use crate::value::{Dict, Value};

pub(super) fn encode<T: Serialize + DeserializeOwned>(value: &T) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    let mut body = BodyMut::new(&mut out, 16 << 20);
    Bincode::encode(value, &mut body)?;
    body.finish()?;
    Ok(out)
}

pub(super) fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    Bincode::decode(Body::from(bytes), &DecodeLimits::for_body(bytes.len()))
}

fn refusal<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> (&'static str, String) {
    match decode::<T>(bytes) {
        Ok(_) => panic!("it was read"),
        Err(error) => (error.class(), error.text().to_owned()),
    }
}

/// 2 MiB: what a thread of the standard library and of tokio has.
fn on_a_usual_stack(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(2 << 20).spawn(test).unwrap().join().unwrap();
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Add {
    a: i32,
    b: i32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Chain {
    next: Option<Box<Chain>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Tree {
    branches: Vec<Tree>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Expression {
    Leaf,
    Not(Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Let { name: String, is: Box<Expression> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Wrapper(Option<Box<Wrapper>>);

fn chain(len: usize) -> Chain {
    (1..len).fold(Chain { next: None }, |next, _| Chain { next: Some(Box::new(next)) })
}

#[test]
fn the_worked_example() {
    assert_eq!(encode(&Add { a: 1, b: 2 }).unwrap(), [2, 4]);
    assert_eq!(decode::<Add>(&[2, 4]).unwrap(), Add { a: 1, b: 2 });
}

#[test]
fn bytes_left_over_are_an_error() {
    let error = refusal::<Add>(&[2, 4, 0]);
    assert_eq!(error, ("ProtoDecodeError", "1 bytes are left behind the value".to_owned()));
    refusal::<()>(&[0]);
}

#[test]
fn a_body_cut_short_is_an_error_that_names_the_field() {
    let error = refusal::<Add>(&[2]);
    assert_eq!(error, ("ProtoDecodeError", "b: the body ends inside a value".to_owned()));
}

#[test]
fn errors_say_what_is_wrong_and_where() {
    for (error, expected) in [
        (refusal::<bool>(&[2]), "a boolean is neither 0 nor 1"),
        (refusal::<Option<u8>>(&[2, 0]), "the tag of an option is neither 0 nor 1"),
        (refusal::<u16>(&[253, 0, 0, 0, 0, 0, 0, 0, 0]), "an integer is too large for its type"),
        (refusal::<char>(&[0xff]), "a character is no Unicode scalar value"),
        (refusal::<Vec<(u8, bool)>>(&[1, 0, 7]), "[0][1]: a boolean is neither 0 nor 1"),
        (refusal::<String>(&[1, 0xff]), "invalid utf-8 at byte 0: invalid start byte"),
        (
            refusal::<Expression>(&[9]),
            "invalid value: integer `9`, expected variant index 0 <= i < 4",
        ),
    ] {
        assert_eq!(error.1, expected);
    }
    assert_eq!(refusal::<String>(&[1, 0xff]).0, "UnicodeDecodeError");
    assert_eq!(refusal::<Expression>(&[9]).0, "TypeError");
}

#[test]
fn errors_quote_little_of_the_body() {
    #[derive(Debug, Serialize)]
    struct Word;
    impl<'de> Deserialize<'de> for Word {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let word = String::deserialize(deserializer)?;
            Err(serde::de::Error::invalid_value(serde::de::Unexpected::Str(&word), &"a word"))
        }
    }
    let body = encode(&"secret".repeat(100)).unwrap();
    assert!(refusal::<Word>(&body).1.chars().count() < 120);
}

#[test]
fn what_needs_a_format_that_describes_itself_is_refused() {
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
    }
    #[derive(Debug, Default, Serialize, Deserialize)]
    struct Flat {
        #[serde(flatten)]
        rest: HashMap<String, u8>,
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct Sparse {
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<u8>,
    }
    assert!(refusal::<Either>(&[1, b'a']).1.contains("take the codec `json`"));
    assert!(refusal::<serde_json::Value>(&[0]).1.contains("take the codec `json`"));
    assert!(encode(&Flat::default()).unwrap_err().text().contains("flatten"));
    assert_eq!(
        encode(&Sparse { note: None }).unwrap_err().text(),
        "note: bincode cannot leave a field out"
    );
    assert_eq!(
        decode::<Sparse>(&encode(&Sparse { note: Some(1) }).unwrap()).unwrap().note,
        Some(1)
    );
}

#[test]
fn a_sequence_that_belies_its_length_is_not_written() {
    struct Liar;
    impl Serialize for Liar {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeSeq;
            let mut seq = serializer.serialize_seq(Some(2))?;
            seq.serialize_element(&1)?;
            seq.end()
        }
    }
    let mut out = Vec::new();
    let error = write::value(&Liar, &mut BodyMut::new(&mut out, 100)).unwrap_err();
    assert_eq!(error.text(), "there are 1 elements, not 2 as said");
}

#[test]
fn a_body_deeper_than_the_limit_is_refused() {
    on_a_usual_stack(|| {
        let deep = vec![1; 16 << 10];
        for error in [
            refusal::<Chain>(&deep),
            refusal::<Tree>(&deep),
            refusal::<Expression>(&deep),
            refusal::<Expression>(&[2; 16 << 10]),
            refusal::<Expression>(&[3, 0].repeat(8 << 10)),
            refusal::<Wrapper>(&deep),
            refusal::<Value>(&[7, 1].repeat(8 << 10)),
            refusal::<HashMap<Value, u8>>(&[&[1][..], &[7, 1].repeat(8 << 10)].concat()),
        ] {
            assert_eq!(error.0, "RecursionError");
            assert!(error.1.ends_with("nested deeper than 128 levels"));
        }
        assert_eq!(decode::<Chain>(&encode(&chain(129)).unwrap()).unwrap(), chain(129));
    });
}

#[test]
fn a_value_deeper_than_is_read_is_not_written() {
    on_a_usual_stack(|| {
        assert_eq!(encode(&chain(130)).unwrap_err().class(), "RecursionError");
        let mut deep = chain(100_000);
        let error = encode(&deep).unwrap_err();
        assert!(error.text().ends_with("nested deeper than 128 levels"));
        // Dropped from the inside: the drop that Rust writes would run out of stack.
        while let Some(next) = deep.next.take() {
            deep = *next;
        }
    });
}

/// A length of 2^`bits` as bincode writes it.
fn length(bits: u32) -> Vec<u8> {
    let mut bytes = vec![253];
    bytes.extend((1_u64 << bits).to_le_bytes());
    bytes
}

#[test]
fn claimed_lengths_cost_nothing() {
    for bits in [33, 40, 48, 63] {
        let claim = length(bits);
        for (class, _) in [
            refusal::<Vec<()>>(&claim),
            refusal::<Vec<u8>>(&claim),
            refusal::<Vec<Vec<String>>>(&claim),
            refusal::<HashMap<(), ()>>(&claim),
            refusal::<BTreeMap<String, Add>>(&claim),
        ] {
            assert_eq!(class, "MemoryError");
        }
        // Nothing is reserved before the bytes are there.
        assert_eq!(refusal::<String>(&claim).1, "the body ends inside a value");
        assert_eq!(refusal::<serde_bytes_like::Bytes>(&claim).1, "the body ends inside a value");
    }
    assert_eq!(refusal::<Vec<()>>(&[&[253][..], &[0xff; 8]].concat()).0, "MemoryError");
    assert_eq!(decode::<Vec<()>>(&[250]).unwrap().len(), 250);
}

#[test]
fn elements_are_charged_by_their_size() {
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[expect(clippy::large_enum_variant, reason = "that is the point")]
    enum Large {
        Small,
        Numbers([[u64; 16]; 16]),
    }
    let limits = |decoded_size| {
        let mut limits = DecodeLimits::for_body(0);
        limits.decoded_size = decoded_size;
        limits
    };
    let body = encode(&vec![Large::Small; 100]).unwrap();
    assert_eq!(body.len(), 101);
    let decode = |decoded_size| {
        <Bincode as Codec<Vec<Large>>>::decode(Body::from(&*body), &limits(decoded_size))
    };
    assert_eq!(decode(100 << 10).unwrap_err().class(), "MemoryError");
    assert_eq!(decode(256 << 10).unwrap().len(), 100);
    // Behind a box it is just as large.
    let boxed = <Bincode as Codec<Vec<Box<Large>>>>::decode(Body::from(&*body), &limits(100 << 10));
    assert_eq!(boxed.unwrap_err().class(), "MemoryError");
    let text = encode(&"x".repeat(1000)).unwrap();
    let text = <Bincode as Codec<String>>::decode(Body::from(&*text), &limits(999));
    assert_eq!(text.unwrap_err().class(), "MemoryError");
}

#[test]
fn a_legal_list_of_numbers_is_within_the_budget() {
    let numbers: Vec<u64> = (0..300_000).map(|n| n % 200).collect();
    assert_eq!(decode::<Vec<u64>>(&encode(&numbers).unwrap()).unwrap(), numbers);
}

/// `serde_bytes`, as far as it is needed here.
mod serde_bytes_like {
    use std::fmt;

    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    pub(super) struct Bytes(pub(super) Vec<u8>);

    impl Serialize for Bytes {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(&self.0)
        }
    }

    impl<'de> Deserialize<'de> for Bytes {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl serde::de::Visitor<'_> for Visitor {
                type Value = Bytes;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("bytes")
                }

                fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
                    Ok(Bytes(bytes))
                }
            }
            deserializer.deserialize_byte_buf(Visitor)
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Numbers {
    bytes: (u8, i8),
    shorts: (u16, i16),
    words: (u32, i32),
    longs: (u64, i64),
    huge: (u128, i128),
    floats: (f32, f64),
    size: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    Newtype(Numbers),
    Tuple(char, Option<String>, Unit),
    Struct { flag: bool, bytes: serde_bytes_like::Bytes },
    List(Vec<Shape>),
    Map(BTreeMap<String, Option<Box<Shape>>>),
}

fn numbers() -> impl Strategy<Value = Numbers> {
    (
        any::<(u8, i8, u16, i16, u32, i32)>(),
        any::<(u64, i64, u128, i128, usize)>(),
        any::<(i16, i32)>(),
    )
        .prop_map(|((a, b, c, d, e, f), (g, h, i, j, size), (x, y))| Numbers {
            bytes: (a, b),
            shorts: (c, d),
            words: (e, f),
            longs: (g, h),
            huge: (i, j),
            floats: (x.into(), y.into()),
            size,
        })
}

fn shapes() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        Just(Shape::Unit),
        numbers().prop_map(Shape::Newtype),
        any::<(char, Option<String>)>().prop_map(|(c, text)| Shape::Tuple(c, text, Unit)),
        any::<(bool, Vec<u8>)>().prop_map(|(flag, bytes)| Shape::Struct {
            flag,
            bytes: serde_bytes_like::Bytes(bytes)
        }),
    ];
    leaf.prop_recursive(5, 32, 6, |inner| {
        let map = prop::collection::btree_map(
            any::<String>(),
            prop::option::of(inner.clone().prop_map(Box::new)),
            0..4,
        );
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(Shape::List),
            map.prop_map(Shape::Map),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_and_is_what_bincode_writes(shape in shapes()) {
        let bytes = encode(&shape).unwrap();
        let config = ::bincode::config::standard();
        prop_assert_eq!(&bytes, &::bincode::serde::encode_to_vec(&shape, config).unwrap());
        prop_assert_eq!(decode::<Shape>(&bytes).unwrap(), shape);
    }

    #[test]
    fn every_cut_is_an_error(shape in shapes(), extra: u8) {
        let mut bytes = encode(&shape).unwrap();
        for end in 0..bytes.len() {
            prop_assert!(decode::<Shape>(&bytes[..end]).is_err());
        }
        bytes.push(extra);
        prop_assert!(decode::<Shape>(&bytes).is_err());
    }

    #[test]
    fn any_bytes_are_read_as_bincode_reads_them_or_refused(
        bytes in prop::collection::vec(prop_oneof![0..6_u8, any::<u8>()], 0..64),
    ) {
        if let Ok(shape) = decode::<Shape>(&bytes) {
            let config = ::bincode::config::standard();
            let (same, len) = ::bincode::serde::decode_from_slice::<Shape, _>(&bytes, config).unwrap();
            prop_assert_eq!(len, bytes.len());
            prop_assert_eq!(encode(&shape).unwrap(), encode(&same).unwrap());
        }
    }

    #[test]
    fn a_dict_of_values_comes_back(entries: Vec<(String, i64)>) {
        let value = Value::from(entries.into_iter().collect::<Dict>());
        prop_assert_eq!(decode::<Value>(&encode(&value).unwrap()).unwrap(), value);
    }
}
