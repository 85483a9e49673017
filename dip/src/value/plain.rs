//! Values in the formats of others: what such a format says for itself if people read it, and an enum
//! that loses nothing if they don't.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, Serialize, SerializeSeq, Serializer};

use super::access::any_deeper_than;
use super::carry::Carry;
use super::{Dict, Int, NotJson, Object, Set, Value};

/// How a value is written where the format does not describe itself.
#[derive(serde::Serialize)]
#[serde(rename = "Value")]
enum Borrowed<'a> {
    Null,
    Bool(bool),
    Int(&'a Int),
    Float(f64),
    Text(&'a str),
    Bytes(Bytes<&'a [u8]>),
    Bytearray(Bytes<&'a [u8]>),
    List(&'a [Value]),
    Tuple(&'a [Value]),
    Set(&'a Set),
    Frozenset(&'a Set),
    Dict(&'a Dict),
    Object(&'a Object),
}

/// The same to read; the variants are those of [`Borrowed`], in the same order.
#[derive(serde::Deserialize)]
#[serde(rename = "Value")]
enum Owned {
    Null,
    Bool(bool),
    Int(Int),
    Float(f64),
    Text(String),
    Bytes(Bytes<Vec<u8>>),
    Bytearray(Bytes<Vec<u8>>),
    List(Vec<Value>),
    Tuple(Vec<Value>),
    Set(Set),
    Frozenset(Set),
    Dict(Dict),
    Object(Box<Object>),
}

impl<'a> From<&'a Value> for Borrowed<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(bool) => Self::Bool(*bool),
            Value::Int(int) => Self::Int(int),
            Value::Float(float) => Self::Float(*float),
            Value::Text(text) => Self::Text(text),
            Value::Bytes(bytes) => Self::Bytes(Bytes(bytes)),
            Value::Bytearray(bytes) => Self::Bytearray(Bytes(bytes)),
            Value::List(items) => Self::List(items),
            Value::Tuple(items) => Self::Tuple(items),
            Value::Set(set) => Self::Set(set),
            Value::Frozenset(set) => Self::Frozenset(set),
            Value::Dict(dict) => Self::Dict(dict),
            Value::Object(object) => Self::Object(object),
        }
    }
}

impl From<Owned> for Value {
    fn from(owned: Owned) -> Self {
        match owned {
            Owned::Null => Self::Null,
            Owned::Bool(bool) => Self::Bool(bool),
            Owned::Int(int) => Self::Int(int),
            Owned::Float(float) => Self::Float(float),
            Owned::Text(text) => Self::Text(text),
            Owned::Bytes(Bytes(bytes)) => Self::Bytes(bytes),
            Owned::Bytearray(Bytes(bytes)) => Self::Bytearray(bytes),
            Owned::List(items) => Self::List(items),
            Owned::Tuple(items) => Self::Tuple(items),
            Owned::Set(set) => Self::Set(set),
            Owned::Frozenset(set) => Self::Frozenset(set),
            Owned::Dict(dict) => Self::Dict(dict),
            Owned::Object(object) => Self::Object(object),
        }
    }
}

impl Carry for Value {
    const EXPECTED: &'static str = "any value";

    fn to_value(&self, limit: usize) -> Option<Value> {
        (!self.deeper_than(limit)).then(|| self.clone())
    }

    fn from_value(value: Value) -> Result<Self, Value> {
        Ok(value)
    }

    fn serialize_plain<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return Borrowed::from(self).serialize(serializer);
        }
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(bool) => serializer.serialize_bool(*bool),
            Self::Int(int) => int.serialize_plain(serializer),
            Self::Float(float) if float.is_finite() => serializer.serialize_f64(*float),
            Self::Float(float) => Err(S::Error::custom(NotJson::Float(*float))),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) | Self::Tuple(items) => serializer.collect_seq(items),
            Self::Dict(dict) => dict.serialize_plain(serializer),
            Self::Bytes(_)
            | Self::Bytearray(_)
            | Self::Set(_)
            | Self::Frozenset(_)
            | Self::Object(_) => Err(S::Error::custom(NotJson::kind(self))),
        }
    }

    fn deserialize_plain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(AnyVisitor)
        } else {
            Owned::deserialize(deserializer).map(Self::from)
        }
    }
}

struct AnyVisitor;

macro_rules! visit {
    ($($visit:ident($t:ty) => $Kind:ident),*) => {$(
        fn $visit<E>(self, value: $t) -> Result<Value, E> {
            Ok(Value::$Kind(value.into()))
        }
    )*};
}

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Value::EXPECTED)
    }

    visit! {
        visit_bool(bool) => Bool,
        visit_i64(i64) => Int,
        visit_u64(u64) => Int,
        visit_i128(i128) => Int,
        visit_u128(u128) => Int,
        visit_f64(f64) => Float,
        visit_str(&str) => Text,
        visit_string(String) => Text,
        visit_bytes(&[u8]) => Bytes,
        visit_byte_buf(Vec<u8>) => Bytes
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        entries(map).map(Value::Dict)
    }
}

fn entries<'de, A: MapAccess<'de>>(mut map: A) -> Result<Dict, A::Error> {
    let mut dict = Dict::new();
    while let Some((key, value)) = map.next_entry::<Value, Value>()? {
        dict.insert(key, value);
    }
    Ok(dict)
}

impl Carry for Int {
    const EXPECTED: &'static str = "an integer";

    fn to_value(&self, _: usize) -> Option<Value> {
        Some(Value::Int(self.clone()))
    }

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Int(int) => Ok(int),
            value => Err(value),
        }
    }

    fn serialize_plain<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_bytes(&self.to_signed_bytes_le());
        }
        if let Ok(int) = i64::try_from(self) {
            serializer.serialize_i64(int)
        } else if let Ok(int) = u64::try_from(self) {
            serializer.serialize_u64(int)
        } else if let Ok(int) = i128::try_from(self) {
            serializer.serialize_i128(int)
        } else if let Ok(int) = u128::try_from(self) {
            serializer.serialize_u128(int)
        } else {
            Err(S::Error::custom("an integer beyond 128 bits"))
        }
    }

    fn deserialize_plain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(IntVisitor)
        } else {
            Bytes::deserialize(deserializer)
                .map(|Bytes(bytes): Bytes<Vec<u8>>| Self::from_signed_bytes_le(&bytes))
        }
    }
}

struct IntVisitor;

macro_rules! visit_int {
    ($($visit:ident($t:ty)),*) => {$(
        fn $visit<E>(self, int: $t) -> Result<Int, E> {
            Ok(int.into())
        }
    )*};
}

impl Visitor<'_> for IntVisitor {
    type Value = Int;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Int::EXPECTED)
    }

    visit_int!(visit_i64(i64), visit_u64(u64), visit_i128(i128), visit_u128(u128));
}

impl Carry for Dict {
    const EXPECTED: &'static str = "a dict";

    fn to_value(&self, limit: usize) -> Option<Value> {
        let parts = self.iter().flat_map(|(key, value)| [key, value]);
        let fits = limit > 0 && !any_deeper_than(parts, limit - 1);
        fits.then(|| Value::Dict(self.clone()))
    }

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Dict(dict) => Ok(dict),
            value => Err(value),
        }
    }

    fn serialize_plain<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let readable = serializer.is_human_readable();
        match self.iter().find(|(key, _)| readable && key.as_str().is_none()) {
            Some((key, _)) => Err(S::Error::custom(NotJson::key(key))),
            None => serializer.collect_map(self.iter()),
        }
    }

    fn deserialize_plain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(DictVisitor)
    }
}

struct DictVisitor;

impl<'de> Visitor<'de> for DictVisitor {
    type Value = Dict;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Dict::EXPECTED)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Dict, A::Error> {
        entries(map)
    }
}

impl Carry for Set {
    const EXPECTED: &'static str = "a set";

    fn to_value(&self, limit: usize) -> Option<Value> {
        let fits = limit > 0 && !any_deeper_than(self.iter(), limit - 1);
        fits.then(|| Value::Set(self.clone()))
    }

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Set(set) | Value::Frozenset(set) => Ok(set),
            Value::List(items) | Value::Tuple(items) => Ok(items.into_iter().collect()),
            value => Err(value),
        }
    }

    fn serialize_plain<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.len()))?;
        self.iter().try_for_each(|item| seq.serialize_element(item))?;
        seq.end()
    }

    fn deserialize_plain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items = Vec::<Value>::deserialize(deserializer)?;
        Ok(items.into_iter().collect())
    }
}

/// The fields of an [`Object`], for formats that do not describe themselves.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(remote = "Object", rename = "Object")]
struct Fields {
    class: String,
    args: Vec<Value>,
    kwargs: Dict,
    state: Option<Value>,
    items: Vec<Value>,
    entries: Vec<(Value, Value)>,
}

impl Carry for Object {
    const EXPECTED: &'static str = "an object";

    fn to_value(&self, limit: usize) -> Option<Value> {
        let fits = limit > 0 && !any_deeper_than(self.parts(), limit - 1);
        fits.then(|| Value::from(self.clone()))
    }

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Object(object) => Ok(*object),
            value => Err(value),
        }
    }

    fn serialize_plain<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Fields::serialize(self, serializer)
    }

    fn deserialize_plain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Fields::deserialize(deserializer)
    }
}

/// Bytes as such; serde takes a slice of them for a sequence of numbers.
struct Bytes<B>(B);

impl Serialize for Bytes<&[u8]> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes<Vec<u8>> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(BytesVisitor)
    }
}

struct BytesVisitor;

impl Visitor<'_> for BytesVisitor {
    type Value = Bytes<Vec<u8>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(Bytes(bytes.to_vec()))
    }

    fn visit_byte_buf<E: serde::de::Error>(self, bytes: Vec<u8>) -> Result<Self::Value, E> {
        Ok(Bytes(bytes))
    }
}
