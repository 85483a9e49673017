//! From any serializable type to a [`Value`].

use serde::ser::{self, Serialize, Serializer};

use super::carry::{self, Received};
use super::fault::Fault;
use super::{Dict, MAX_DEPTH, Value};
use crate::codec::EncodeError;

/// The [`Value`] of anything that serde can serialize.
///
/// Structs, maps and enum variants with content become dicts (an enum is `{"Variant": content}`, a
/// variant without content its name); newtypes are transparent; tuples become tuples, other
/// sequences lists; `None` and `()` are null. Keys of maps keep their type. A [`Value`] inside is
/// taken over as it is.
///
/// ```
/// use dip::value::to_value;
///
/// #[derive(serde::Serialize)]
/// struct Progress { done: u32, of: Option<u32> }
///
/// let value = to_value(&Progress { done: 3, of: None }).unwrap();
/// assert_eq!(value.get("done").unwrap().as_i64(), Some(3));
/// ```
///
/// # Errors
///
/// When the type's own `Serialize` fails (class `TypeError`), and when the value is nested deeper
/// than 1000 levels (class `RecursionError`).
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value, EncodeError> {
    value.serialize(Level(0)).map_err(Fault::into_encode_error)
}

/// The serializer of a value inside that many containers.
#[derive(Clone, Copy)]
struct Level(usize);

impl Level {
    fn deeper(self) -> Result<Self, Fault> {
        match self.0 {
            MAX_DEPTH => Err(Fault::too_deep(MAX_DEPTH)),
            level => Ok(Self(level + 1)),
        }
    }
}

macro_rules! from {
    ($($serialize:ident($t:ty) => $Kind:ident),*) => {$(
        fn $serialize(self, value: $t) -> Result<Value, Fault> {
            Ok(Value::$Kind(value.into()))
        }
    )*};
}

impl Serializer for Level {
    type Ok = Value;
    type Error = Fault;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = Items;
    type SerializeTupleVariant = Items;
    type SerializeMap = Entries;
    type SerializeStruct = Entries;
    type SerializeStructVariant = Entries;

    from! {
        serialize_bool(bool) => Bool,
        serialize_i8(i8) => Int,
        serialize_i16(i16) => Int,
        serialize_i32(i32) => Int,
        serialize_i64(i64) => Int,
        serialize_i128(i128) => Int,
        serialize_u8(u8) => Int,
        serialize_u16(u16) => Int,
        serialize_u32(u32) => Int,
        serialize_u64(u64) => Int,
        serialize_u128(u128) => Int,
        serialize_f32(f32) => Float,
        serialize_f64(f64) => Float,
        serialize_char(char) => Text,
        serialize_str(&str) => Text,
        serialize_bytes(&[u8]) => Bytes
    }

    fn serialize_none(self) -> Result<Value, Fault> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, Fault> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, Fault> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Value, Fault> {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Value, Fault> {
        Ok(Value::from(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<Value, Fault> {
        if name == carry::NAME { self.carried(value) } else { value.serialize(self) }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value, Fault> {
        let value = value.serialize(self.deeper()?).map_err(|fault| fault.in_field(variant))?;
        Ok(only(variant, value))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Items, Fault> {
        self.items(Value::List, None, len)
    }

    fn serialize_tuple(self, len: usize) -> Result<Items, Fault> {
        self.items(Value::Tuple, None, Some(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Items, Fault> {
        self.items(Value::Tuple, None, Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Items, Fault> {
        self.deeper()?.items(Value::Tuple, Some(variant), Some(len))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Entries, Fault> {
        self.entries(None)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Entries, Fault> {
        self.entries(None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Entries, Fault> {
        self.deeper()?.entries(Some(variant))
    }
}

impl Level {
    fn carried<T: Serialize + ?Sized>(self, content: &T) -> Result<Value, Fault> {
        match carry::receive(MAX_DEPTH - self.0, || content.serialize(self))? {
            Received::Value(value) => Ok(value),
            Received::TooDeep => Err(Fault::too_deep(MAX_DEPTH)),
            Received::Nothing => content.serialize(self),
        }
    }

    fn items(
        self,
        kind: fn(Vec<Value>) -> Value,
        variant: Option<&'static str>,
        len: Option<usize>,
    ) -> Result<Items, Fault> {
        // A length is a claim; no more is reserved than a small list takes.
        let items = Vec::with_capacity(len.unwrap_or(0).min(1024));
        Ok(Items { kind, variant, level: self.deeper()?, items })
    }

    fn entries(self, variant: Option<&'static str>) -> Result<Entries, Fault> {
        Ok(Entries { variant, level: self.deeper()?, dict: Dict::new(), key: None })
    }
}

/// The dict of an enum variant with content.
fn only(variant: &'static str, content: Value) -> Value {
    let mut dict = Dict::new();
    dict.insert(variant, content);
    Value::Dict(dict)
}

fn wrap(variant: Option<&'static str>, content: Value) -> Value {
    match variant {
        Some(variant) => only(variant, content),
        None => content,
    }
}

/// A list or tuple under construction.
struct Items {
    kind: fn(Vec<Value>) -> Value,
    variant: Option<&'static str>,
    level: Level,
    items: Vec<Value>,
}

impl Items {
    fn push<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Fault> {
        let item = item.serialize(self.level).map_err(|fault| fault.in_item(self.items.len()))?;
        self.items.push(item);
        Ok(())
    }

    fn finish(self) -> Value {
        wrap(self.variant, (self.kind)(self.items))
    }
}

macro_rules! items {
    ($($Trait:ident::$push:ident),*) => {$(
        impl ser::$Trait for Items {
            type Ok = Value;
            type Error = Fault;

            fn $push<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Fault> {
                self.push(item)
            }

            fn end(self) -> Result<Value, Fault> {
                Ok(self.finish())
            }
        }
    )*};
}

items!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

/// A dict under construction.
struct Entries {
    variant: Option<&'static str>,
    level: Level,
    dict: Dict,
    /// The key whose value comes next.
    key: Option<Value>,
}

impl Entries {
    fn insert<T: Serialize + ?Sized>(&mut self, key: Value, value: &T) -> Result<(), Fault> {
        let value = value.serialize(self.level).map_err(|fault| fault.in_field(&name(&key)))?;
        self.dict.insert(key, value);
        Ok(())
    }

    fn finish(self) -> Value {
        wrap(self.variant, Value::Dict(self.dict))
    }
}

/// How a key is called in the path of an error.
pub(super) fn name(key: &Value) -> String {
    match key {
        Value::Text(text) => text.clone(),
        Value::Int(int) if int.bits() <= 64 => int.to_string(),
        Value::Bool(bool) => bool.to_string(),
        key => key.kind().to_owned(),
    }
}

impl ser::SerializeMap for Entries {
    type Ok = Value;
    type Error = Fault;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Fault> {
        self.key = Some(key.serialize(self.level)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        let key = self.key.take();
        let key = key.ok_or_else(|| ser::Error::custom("a map gave a value before its key"))?;
        self.insert(key, value)
    }

    fn end(self) -> Result<Value, Fault> {
        Ok(self.finish())
    }
}

macro_rules! fields {
    ($($Trait:ident),*) => {$(
        impl ser::$Trait for Entries {
            type Ok = Value;
            type Error = Fault;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                field: &'static str,
                value: &T,
            ) -> Result<(), Fault> {
                self.insert(Value::from(field), value)
            }

            fn end(self) -> Result<Value, Fault> {
                Ok(self.finish())
            }
        }
    )*};
}

fields!(SerializeStruct, SerializeStructVariant);
