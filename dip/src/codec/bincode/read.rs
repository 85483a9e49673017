//! From bytes to a type, within limits.
//!
//! Numbers and byte strings are read by [`Input`]; how serde's types are made of them is laid out here
//! as `bincode::serde` lays it out. That one takes no limits at run time: it descends as deep as the
//! body says, reserves what a length claims and loops for as long, and its errors quote the body.

use serde::de::value::U32Deserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer,
    MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::input::{Input, refused};
use super::output::{EIGHT_BYTES, FOUR_BYTES, TWO_BYTES};
use crate::codec::{Body, DecodeError, DecodeLimits};
use crate::value::Fault;

/// The value that `bytes` hold, all of them.
#[inline(always)]
pub(super) fn value<T: DeserializeOwned>(
    bytes: &[u8],
    limits: &DecodeLimits,
) -> Result<T, DecodeError> {
    let mut input = Input::new(bytes, limits);
    let place = Place { input: &mut input, depth: 0, room: 0 };
    let value = T::deserialize(place).map_err(Fault::into_decode_error)?;
    Body::from(input.rest()).finish()?;
    limits.spend(input.spent());
    Ok(value)
}

#[cold]
fn not_described() -> Fault {
    Fault::custom(
        "bincode does not say what comes next, as this type needs it: see `flatten`, `untagged`, \
         `tag`, or take the codec `json`",
    )
}

/// Where a value is to be put.
///
/// Only sequences, maps, variants and `Some` count as levels: no other types can be nested as deep as
/// the body likes.
struct Place<'a, 'de> {
    input: &'a mut Input<'de>,
    /// How many levels it is inside of.
    depth: usize,
    /// Bytes that are charged already for what is put here; a larger value is somewhere on the heap.
    room: usize,
}

impl<'a, 'de> Place<'a, 'de> {
    /// Goes that many levels deeper, for a value of type `T`.
    #[inline]
    fn take<T>(mut self, levels: usize) -> Result<Self, Fault> {
        if size_of::<T>() > self.room {
            self.room = size_of::<T>();
            self.input.charge(self.room)?;
        }
        self.depth += levels;
        if self.depth > self.input.max_depth() {
            return Err(Fault::too_deep(self.input.max_depth()));
        }
        Ok(self)
    }

    #[inline]
    fn at(&mut self, room: usize) -> Place<'_, 'de> {
        Place { input: self.input, depth: self.depth, room }
    }

    #[inline]
    fn parts<V: Visitor<'de>>(
        self,
        names: &'static [&'static str],
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_seq(Parts { place: self.take::<V::Value>(0)?, names, at: 0, len })
    }

    #[inline]
    fn elements<T>(self) -> Result<Elements<'a, 'de>, Fault> {
        let len = self.input.len()?;
        // What is hinted is reserved at once, and a length is a mere claim.
        let hint = len.min(self.input.rest().len());
        Ok(Elements { place: self.take::<T>(1)?, at: 0, len, hint })
    }
}

macro_rules! scalars {
    ($($deserialize:ident => $visit:ident(|$input:ident| $read:expr)),* $(,)?) => {$(
        #[inline]
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            let $input = self.input;
            visitor.$visit($read)
        }
    )*};
}

macro_rules! not_described {
    ($($deserialize:ident),*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Fault> {
            Err(not_described())
        }
    )*};
}

impl<'de> Deserializer<'de> for Place<'_, 'de> {
    type Error = Fault;

    scalars! {
        deserialize_bool => visit_bool(|input| input.scalar()?),
        deserialize_i8 => visit_i8(|input| i8::from_le_bytes(*input.fixed_width()?)),
        deserialize_i16 => visit_i16(|input| input.signed(TWO_BYTES)? as i16),
        deserialize_i32 => visit_i32(|input| input.signed(FOUR_BYTES)? as i32),
        deserialize_i64 => visit_i64(|input| input.signed(EIGHT_BYTES)?),
        deserialize_i128 => visit_i128(|input| input.scalar()?),
        deserialize_u8 => visit_u8(|input| u8::from_le_bytes(*input.fixed_width()?)),
        deserialize_u16 => visit_u16(|input| input.unsigned(TWO_BYTES)? as u16),
        deserialize_u32 => visit_u32(|input| input.narrow()?),
        deserialize_u64 => visit_u64(|input| input.unsigned(EIGHT_BYTES)?),
        deserialize_u128 => visit_u128(|input| input.scalar()?),
        deserialize_f32 => visit_f32(|input| f32::from_le_bytes(*input.fixed_width()?)),
        deserialize_f64 => visit_f64(|input| f64::from_le_bytes(*input.fixed_width()?)),
        deserialize_char => visit_char(|input| input.scalar()?),
    }

    not_described!(deserialize_any, deserialize_identifier, deserialize_ignored_any);

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_borrowed_str(self.input.text()?)
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_string(self.input.string()?)
    }

    #[inline]
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_borrowed_bytes(self.input.bytes()?)
    }

    #[inline]
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_byte_buf(self.input.bytes()?.to_owned())
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match *self.input.fixed_width()? {
            [0] => visitor.visit_none(),
            [1] => visitor.visit_some(self.take::<V::Value>(1)?),
            _ => Err(refused("the tag of an option is neither 0 nor 1")),
        }
    }

    #[inline]
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self.take::<V::Value>(0)?)
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_seq(self.elements::<V::Value>()?)
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_map(self.elements::<V::Value>()?)
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fault> {
        self.parts(&[], len, visitor)
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.parts(&[], len, visitor)
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.parts(fields, fields.len(), visitor)
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_enum(Variant(self.take::<V::Value>(0)?))
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The parts of a tuple or struct, as many as the type has.
struct Parts<'a, 'de> {
    place: Place<'a, 'de>,
    /// Of the fields, for the path of an error; tuples have none.
    names: &'static [&'static str],
    at: usize,
    len: usize,
}

impl<'de> SeqAccess<'de> for Parts<'_, 'de> {
    type Error = Fault;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Fault> {
        if self.at == self.len {
            return Ok(None);
        }
        let at = self.at;
        self.at += 1;
        let part = seed.deserialize(self.place.at(size_of::<S::Value>()));
        part.map(Some).map_err(|fault| in_part(fault, self.names, at))
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.len - self.at)
    }
}

#[cold]
#[inline(never)]
fn in_part(fault: Fault, names: &'static [&'static str], at: usize) -> Fault {
    match names.get(at) {
        Some(name) => fault.in_field(name),
        None => fault.in_item(at),
    }
}

/// The elements of a sequence or map, as many as the body says; a byte of each is charged already.
struct Elements<'a, 'de> {
    place: Place<'a, 'de>,
    at: usize,
    len: usize,
    /// How many there are at most, unless they take no bytes.
    hint: usize,
}

impl<'de> Elements<'_, 'de> {
    #[inline]
    fn read<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
        charged: usize,
    ) -> Result<S::Value, Fault> {
        let size = size_of::<S::Value>();
        self.place.input.charge(size.saturating_sub(charged))?;
        seed.deserialize(self.place.at(size)).map_err(|fault| fault.in_item(self.at))
    }
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Fault;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Fault> {
        if self.at == self.len {
            return Ok(None);
        }
        let element = self.read(seed, 1)?;
        self.at += 1;
        Ok(Some(element))
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.hint.saturating_sub(self.at))
    }
}

impl<'de> MapAccess<'de> for Elements<'_, 'de> {
    type Error = Fault;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Fault> {
        if self.at == self.len {
            return Ok(None);
        }
        self.read(seed, 1).map(Some)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let value = self.read(seed, 0)?;
        self.at += 1;
        Ok(value)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.hint.saturating_sub(self.at))
    }
}

/// A variant, by its index.
struct Variant<'a, 'de>(Place<'a, 'de>);

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Fault;
    type Variant = Self;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Fault> {
        let index = self.0.input.unsigned(FOUR_BYTES)? as u32;
        let index: U32Deserializer<Fault> = index.into_deserializer();
        Ok((seed.deserialize(index)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Fault;

    #[inline]
    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Fault> {
        seed.deserialize(self.0.take::<()>(1)?)
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fault> {
        self.0.take::<()>(1)?.parts(&[], len, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.0.take::<()>(1)?.parts(fields, fields.len(), visitor)
    }
}
