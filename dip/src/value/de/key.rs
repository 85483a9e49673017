//! The keys of a dict, where a type asks for them.

use serde::de::{Deserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::{Fallible, Node, visit_variant};
use crate::value::fault::Fault;
use crate::value::{Value, carry};

/// The deserializer of a key: text also serves as a number or a boolean, since the keys of JSON are
/// text.
pub(super) struct Key(pub(super) Node);

impl Key {
    /// With text that is spelt as JSON spells a number or a boolean replaced by that.
    fn read(self) -> Node {
        let Value::Text(text) = &self.0.value else {
            return self.0;
        };
        match serde_json::from_str::<serde_json::Value>(text) {
            Ok(value @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_)))
                if !text.starts_with(char::is_whitespace)
                    && !text.ends_with(char::is_whitespace) =>
            {
                Node { value: exact(text, value), level: self.0.level }
            }
            _ => self.0,
        }
    }
}

/// Integers as they are written: beyond 64 bits `serde_json` takes them for floats.
fn exact(text: &str, value: serde_json::Value) -> Value {
    // No type that could be asked for has more than 39 digits.
    match text.len() {
        ..=40 => text.parse().map_or_else(|_| Value::from(value), Value::Int),
        _ => Value::from(value),
    }
}

macro_rules! keys_read {
    ($($deserialize:ident)*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Fallible<V::Value> {
            self.read().$deserialize(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Key {
    type Error = Fault;

    keys_read! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_u128 deserialize_f32 deserialize_f64
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Fallible<V::Value> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Fallible<V::Value> {
        match self.0.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Fallible<V::Value> {
        if name == carry::NAME {
            self.0.deserialize_newtype_struct(name, visitor)
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
        visit_variant(self.0, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Fallible<V::Value> {
        self.0.deserialize_tuple(len, visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Fallible<V::Value> {
        self.0.deserialize_seq(visitor)
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct tuple_struct map struct identifier
        ignored_any
    }
}
