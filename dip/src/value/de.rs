//! From a [`Value`] to any deserializable type.

use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer,
    MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

mod key;

use self::key::Key;
use super::fault::{Fault, cut};
use super::{Int, Value, carry, dict, ser};
use crate::codec::DecodeError;

/// A value of type `T` out of a [`Value`].
///
/// Lists, tuples and sets all serve as sequences, integers as floats where a float is asked for,
/// bytes also as a sequence of numbers. Keys of a dict that are text serve as numbers and booleans
/// where those are asked for, as the keys of JSON do. A [`Value`] inside `T` is taken over as it is;
/// only in what serde itself buffers first (`flatten`, `untagged`, internally tagged enums) do
/// tuples and sets become lists, and integers beyond 64 bits are errors.
///
/// ```
/// use dip::value::{Dict, Value, from_value};
///
/// #[derive(serde::Deserialize, Debug)]
/// struct Progress { done: u32 }
///
/// let value = Value::from(Dict::from_iter([("done", "three")]));
/// let error = from_value::<Progress>(value).unwrap_err();
/// assert_eq!(error.text(), "done: invalid type: string, expected u32");
/// ```
///
/// # Errors
///
/// When the value is none of `T` (class `TypeError`; the text begins with the path of the field that
/// does not fit), and when the types are nested deeper than 128 levels (class `RecursionError`); a
/// [`Value`] inside may be deeper. Integers that do not fit are errors, as are finite numbers beyond the
/// floats of the type; within them the closest float is taken.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, DecodeError> {
    T::deserialize(Node { value, level: 0 }).map_err(Fault::into_decode_error)
}

/// How deep types may be nested. What a level takes of the stack is up to the types; with the limit
/// that `serde_json` has as well, it may be 16 KiB.
const MAX_TYPED_DEPTH: usize = 128;

/// The deserializer of a value inside `level` containers.
struct Node {
    value: Value,
    level: usize,
}

type Fallible<T> = Result<T, Fault>;

impl<'de> Deserializer<'de> for Node {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Fallible<V::Value> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(bool) => visitor.visit_bool(bool),
            Value::Int(int) => visit_int(&int, visitor),
            Value::Float(float) => visitor.visit_f64(float),
            Value::Text(text) => visitor.visit_string(text),
            Value::Bytes(bytes) | Value::Bytearray(bytes) => visitor.visit_byte_buf(bytes),
            Value::List(items) | Value::Tuple(items) => {
                visit_items(items.into_iter(), self.level, visitor)
            }
            Value::Set(set) | Value::Frozenset(set) => {
                visit_items(set.into_iter(), self.level, visitor)
            }
            Value::Dict(dict) => visit_entries(dict.into_iter(), self.level, visitor),
            Value::Object(object) => Err(an_object(&object.class, &visitor)),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Fallible<V::Value> {
        let float = match &self.value {
            Value::Float(float) => Some(*float),
            Value::Int(int) => int.to_f64(),
            _ => None,
        };
        match float {
            Some(float) if float.is_finite() && float.abs() > f64::from(f32::MAX) => {
                Err(Fault::invalid_value(Unexpected::Float(float), &visitor))
            }
            _ => self.deserialize_f64(visitor),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Fallible<V::Value> {
        match &self.value {
            Value::Int(int) if int.bits() > 63 => match int.to_f64() {
                Some(float) => visitor.visit_f64(float),
                None => Err(too_big(int, &visitor)),
            },
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Fallible<V::Value> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Fallible<V::Value> {
        match self.value {
            Value::Bytes(bytes) | Value::Bytearray(bytes) => visit_items(
                bytes.into_iter().map(|byte| Value::Int(byte.into())),
                self.level,
                visitor,
            ),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Fallible<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Fallible<V::Value> {
        if name == carry::NAME {
            let nothing = Self { value: Value::Null, level: self.level };
            carry::send(self.value, || visitor.visit_newtype_struct(nothing))
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Fallible<V::Value> {
        visit_variant(self, visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Fallible<V::Value> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 char str string bytes byte_buf unit
        unit_struct tuple_struct map struct identifier
    }
}

fn visit_int<'de, V: Visitor<'de>>(int: &Int, visitor: V) -> Fallible<V::Value> {
    if let Ok(int) = u64::try_from(int) {
        visitor.visit_u64(int)
    } else if let Ok(int) = i64::try_from(int) {
        visitor.visit_i64(int)
    } else if let Ok(int) = i128::try_from(int) {
        visitor.visit_i128(int)
    } else if let Ok(int) = u128::try_from(int) {
        visitor.visit_u128(int)
    } else {
        Err(too_big(int, &visitor))
    }
}

fn too_big(int: &Int, expected: &dyn de::Expected) -> Fault {
    let found = format!("integer of {} bits", int.bits());
    Fault::invalid_value(Unexpected::Other(&found), expected)
}

fn an_object(class: &str, expected: &dyn de::Expected) -> Fault {
    let found = format!("object of the class {}", cut(class, 64));
    Fault::invalid_type(Unexpected::Other(&found), expected)
}

/// How serde calls the kind of a value.
pub(super) fn unexpected(value: &Value) -> Unexpected<'_> {
    match value {
        Value::Null => Unexpected::Unit,
        Value::Bool(bool) => Unexpected::Bool(*bool),
        Value::Int(int) => match int.as_i64() {
            Some(int) => Unexpected::Signed(int),
            None => Unexpected::Other("integer"),
        },
        Value::Float(float) => Unexpected::Float(*float),
        Value::Text(text) => Unexpected::Str(text),
        Value::Bytes(bytes) | Value::Bytearray(bytes) => Unexpected::Bytes(bytes),
        Value::List(_) | Value::Tuple(_) | Value::Set(_) | Value::Frozenset(_) => Unexpected::Seq,
        Value::Dict(_) => Unexpected::Map,
        Value::Object(_) => Unexpected::Other("object"),
    }
}

fn deeper(level: usize) -> Fallible<usize> {
    match level {
        MAX_TYPED_DEPTH => Err(Fault::too_deep(MAX_TYPED_DEPTH)),
        level => Ok(level + 1),
    }
}

fn visit_items<'de, I, V>(items: I, level: usize, visitor: V) -> Fallible<V::Value>
where
    I: ExactSizeIterator<Item = Value>,
    V: Visitor<'de>,
{
    let len = items.len();
    let mut items = Items { items, level: deeper(level)?, next: 0 };
    let value = visitor.visit_seq(&mut items)?;
    match items.items.len() {
        0 => Ok(value),
        _ => Err(Fault::invalid_length(len, &"fewer items")),
    }
}

struct Items<I> {
    items: I,
    level: usize,
    next: usize,
}

impl<'de, I: ExactSizeIterator<Item = Value>> SeqAccess<'de> for Items<I> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Fallible<Option<T::Value>> {
        let Some(value) = self.items.next() else {
            return Ok(None);
        };
        let index = self.next;
        self.next += 1;
        match seed.deserialize(Node { value, level: self.level }) {
            Ok(item) => Ok(Some(item)),
            Err(fault) => Err(fault.in_item(index)),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

fn visit_entries<'de, V>(entries: dict::IntoIter, level: usize, visitor: V) -> Fallible<V::Value>
where
    V: Visitor<'de>,
{
    let len = entries.len();
    let mut entries = Entries { entries, level: deeper(level)?, value: None };
    let value = visitor.visit_map(&mut entries)?;
    match entries.entries.len() {
        0 => Ok(value),
        _ => Err(Fault::invalid_length(len, &"fewer entries")),
    }
}

struct Entries {
    entries: dict::IntoIter,
    level: usize,
    /// The value of the key that was handed out last, and what that key is called.
    value: Option<(String, Value)>,
}

impl<'de> MapAccess<'de> for Entries {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Fallible<Option<K::Value>> {
        let Some((key, value)) = self.entries.next() else {
            return Ok(None);
        };
        let name = ser::name(&key);
        match seed.deserialize(Key(Node { value: key, level: self.level })) {
            Ok(key) => {
                self.value = Some((name, value));
                Ok(Some(key))
            }
            Err(fault) => Err(fault),
        }
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Fallible<T::Value> {
        let Some((name, value)) = self.value.take() else {
            return Err(Fault::custom("the value of an entry was asked for before its key"));
        };
        match seed.deserialize(Node { value, level: self.level }) {
            Ok(value) => Ok(value),
            Err(fault) => Err(fault.in_field(&name)),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

/// An enum is the name of a variant, or a dict of one entry: that name and the content.
fn visit_variant<'de, V: Visitor<'de>>(node: Node, visitor: V) -> Fallible<V::Value> {
    let level = node.level;
    match node.value {
        Value::Text(name) => visitor.visit_enum(Variant { name, content: None }),
        Value::Dict(dict) if dict.len() == 1 => match dict.into_iter().next() {
            Some((Value::Text(name), value)) => {
                let content = Some(Node { value, level: deeper(level)? });
                visitor.visit_enum(Variant { name, content })
            }
            _ => Err(Fault::invalid_value(Unexpected::Map, &"a dict with the name of a variant")),
        },
        Value::Dict(_) => Err(Fault::invalid_value(Unexpected::Map, &"a dict of one entry")),
        Value::Object(object) => Err(an_object(&object.class, &"an enum")),
        value => Err(Fault::invalid_type(unexpected(&value), &"an enum")),
    }
}

struct Variant {
    name: String,
    content: Option<Node>,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = Fault;
    type Variant = Content;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Fallible<(V::Value, Content)> {
        let Self { name, content } = self;
        let variant = seed.deserialize(name.as_str().into_deserializer())?;
        Ok((variant, Content { name, content }))
    }
}

/// What a variant holds.
struct Content {
    name: String,
    content: Option<Node>,
}

impl Content {
    fn read<T>(
        self,
        expected: &'static str,
        read: impl FnOnce(Node) -> Fallible<T>,
    ) -> Fallible<T> {
        match self.content {
            Some(content) => read(content).map_err(|fault| fault.in_field(&self.name)),
            None => Err(Fault::invalid_type(Unexpected::UnitVariant, &expected)),
        }
    }
}

impl<'de> VariantAccess<'de> for Content {
    type Error = Fault;

    fn unit_variant(self) -> Fallible<()> {
        match self.content {
            None => Ok(()),
            Some(_) => self.read("unit variant", de::Deserialize::deserialize),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Fallible<T::Value> {
        self.read("newtype variant", |content| seed.deserialize(content))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Fallible<V::Value> {
        self.read("tuple variant", |content| content.deserialize_tuple(len, visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Fallible<V::Value> {
        self.read("struct variant", |content| content.deserialize_any(visitor))
    }
}
