//! The full shape of types.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU8, NonZeroU64};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, SystemTime};

use serde::de::{DeserializeOwned, Error, Visitor};
use serde::{Deserialize, Deserializer};

use crate::schema::SchemaRecorder;

pub(super) fn shape<T: DeserializeOwned>() -> String {
    let mut record = SchemaRecorder::default();
    record.types::<T>().unwrap();
    record.into_text()
}

#[test]
fn the_types_of_the_standard_library_are_told_apart() {
    shapes! {
        bool => "bool",
        i8 => "i8",
        i128 => "i128",
        u128 => "u128",
        usize => "u64",
        f32 => "f32",
        char => "char",
        String => "str",
        PathBuf => "str",
        Cow<'static, str> => "str",
        Box<str> => "str",
        () => "unit",
        std::marker::PhantomData<u8> => "unit",
        Option<u8> => "option(u8)",
        Option<Option<u8>> => "option(option(u8))",
        Vec<u8> => "seq(u8)",
        HashSet<String> => "seq(str)",
        HashMap<String, Vec<i8>> => "map(str, seq(i8))",
        BTreeMap<u8, ()> => "map(u8, unit)",
        (u8, String, String) => "tuple(u8, str; 2)",
        [u8; 32] => "tuple(u8; 32)",
        [u8; 0] => "tuple()",
        Result<u8, String> => "enum(Ok u8, Err str)",
        Range<u8> => "struct(start u8, end u8)",
        Duration => "struct(secs u64, nanos u32)",
        SystemTime => "struct(secs_since_epoch u64, nanos_since_epoch u32)",
        IpAddr => "enum(V4 tuple(u8; 4), V6 tuple(u8; 16))",
        SocketAddr => "enum(V4 tuple(tuple(u8; 4), u16), V6 tuple(tuple(u8; 16), u16))",
        NonZeroU8 => "u8",
        std::num::Wrapping<u8> => "u8",
        AtomicU32 => "u32",
        Id => "bytes",
        Vec<Option<Box<(u8, char)>>> => "seq(option(tuple(u8, char)))",
    }
}

#[derive(Deserialize)]
struct Unit;

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its shape is looked at")]
struct Wrapper(u64);

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its shape is looked at")]
struct Pair(u64, Wrapper);

#[derive(Deserialize)]
struct Empty {}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its shape is looked at")]
enum Variants {
    Unit,
    Newtype(u8),
    Tuple(u8, String),
    Struct { a: bool, b: Option<Wrapper> },
}

#[test]
fn the_names_of_containers_do_not_count() {
    shapes! {
        Unit => "unit",
        Wrapper => "u64",
        Pair => "tuple(u64; 2)",
        Empty => "struct()",
        Variants => "enum(Unit unit, Newtype u8, Tuple tuple(u8, str), Struct struct(a bool, b option(u64)))",
        crate::NoError => "enum()",
    }
}

/// Checks what it reads, as `uuid::Uuid` does.
#[derive(PartialEq, Eq, Hash)]
struct Id;

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SixteenBytes;

        impl Visitor<'_> for SixteenBytes {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("16 bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Id, E> {
                if bytes.len() == 16 { Ok(Id) } else { Err(E::invalid_length(bytes.len(), &self)) }
            }
        }

        deserializer.deserialize_bytes(SixteenBytes)
    }
}

#[test]
fn a_type_that_checks_what_it_reads_may_stand_anywhere() {
    shapes! {
        (Id, u8) => "tuple(bytes, u8)",
        (NonZeroU64, (NonZeroU8, Id, Variants, u8), u8)
            => "tuple(u64, tuple(u8, bytes, enum(Unit unit, Newtype u8, Tuple tuple(u8, str), \
                Struct struct(a bool, b option(u64))), u8), u8)",
        HashMap<Id, (Id, NonZeroU8)> => "map(bytes, tuple(bytes, u8))",
    }
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its shape is looked at")]
struct Node {
    value: u32,
    next: Option<Box<Node>>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its shape is looked at")]
struct Left(Vec<Right>, u8);

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its shape is looked at")]
enum Right {
    None,
    Left(Box<Left>),
    Both { left: Left, right: Vec<Right> },
}

/// Has no value, but can be written down.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only its shape is looked at")]
struct Endless(Box<Endless>);

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its shape is looked at")]
struct Nested(Vec<Nested>);

#[test]
fn a_type_may_contain_itself() {
    shapes! {
        Node => "#1=struct(value u32, next option(#1))",
        (Node, Node) => "tuple(#1=struct(value u32, next option(#1)); 2)",
        Left => "#1=tuple(#2=seq(enum(None unit, Left #1, Both struct(left #1, right #2))), u8)",
        Nested => "#1=seq(#1)",
        Endless => "opaque Endless",
    }
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its shape is looked at")]
struct Point<T> {
    x: T,
    y: T,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its shape is looked at")]
struct Twin {
    y: f64,
}

mod other {
    #[derive(serde::Deserialize)]
    #[expect(dead_code, reason = "only its shape is looked at")]
    pub(super) struct Twin {
        x: f64,
        y: f64,
    }
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its shape is looked at")]
struct Places {
    of_floats: Point<f64>,
    of_integers: Point<i64>,
    same_name: Twin,
    same_shape: other::Twin,
}

#[test]
fn types_are_the_same_by_their_shape_and_not_by_their_name() {
    shapes! {
        Places => "struct(of_floats #1=struct(x f64, y f64), of_integers struct(x i64, y i64), \
                   same_name struct(y f64), same_shape #1)",
    }
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its shape is looked at")]
#[serde(rename_all = "camelCase")]
struct Attributes {
    first_field: u8,
    #[serde(rename = "an other")]
    second: u8,
    #[serde(skip)]
    third: u8,
    #[serde(default)]
    fourth: u8,
    #[serde(with = "as_text")]
    fifth: u8,
    #[serde(alias = "sixth_of_old")]
    sixth: u8,
}

mod as_text {
    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<u8, D::Error> {
        let text: String = serde::Deserialize::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[derive(Deserialize)]
#[serde(try_from = "(u8, String)")]
struct Converted;

impl TryFrom<(u8, String)> for Converted {
    type Error = String;

    fn try_from(_: (u8, String)) -> Result<Self, String> {
        panic!("there is nothing to convert")
    }
}

#[test]
fn what_travels_counts_and_not_what_is_written_down() {
    shapes! {
        Attributes => "struct(firstField u8, \"an other\" u8, fourth u8, fifth str, sixth u8, sixth_of_old u8)",
        Converted => "tuple(u8, str)",
    }
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its shape is looked at")]
struct Flat {
    id: u8,
    #[serde(flatten)]
    rest: Empty,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its shape is looked at")]
#[serde(untagged)]
enum Untagged {
    Number(u8),
    Text(String),
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its shape is looked at")]
#[serde(tag = "type")]
enum Tagged {
    Number { number: u8 },
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its shape is looked at")]
#[serde(tag = "type", content = "content")]
enum Adjacent {
    Number(u8),
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its shape is looked at")]
struct Holds {
    before: u8,
    flat: Flat,
    after: Option<Flat>,
}

#[test]
fn a_type_that_asks_the_format_what_comes_next_is_its_name() {
    shapes! {
        serde_json::Value => "opaque Value",
        Untagged => "opaque Untagged",
        Tagged => "opaque Tagged",
        Adjacent => "struct(type enum(Number unit), content opaque Content)",
        Flat => "opaque Flat",
        Holds => "struct(before u8, flat opaque Flat, after option(opaque Flat))",
    }
}
