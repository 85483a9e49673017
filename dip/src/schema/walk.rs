//! The way of a pass through a type, step by step.

use std::any::type_name;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::graph::Kind;
use super::sample::Sample;
use super::trace::{Stop, Tracer, UNDESCRIBED};

/// A place in a type, and the path that leads on from there.
#[derive(Clone, Copy)]
pub(super) struct Walk<'a> {
    tracer: &'a Tracer,
    node: usize,
    path: &'a [usize],
    /// Newtypes around this place; one that holds only itself has no end of them.
    wraps: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(tracer: &'a Tracer, path: &'a [usize]) -> Self {
        Self { tracer, node: ROOT, path, wraps: 0 }.ask(None)
    }

    /// Goes into a part of a type; at the end of the path, says what the type is instead.
    fn step<V, T>(
        self,
        kind: Kind,
        names: impl Iterator<Item = Option<&'static str>>,
    ) -> Result<(usize, Self), Stop> {
        let Self { tracer, node, path, .. } = self;
        tracer.count_step()?;
        let Some((&index, path)) = path.split_first() else {
            tracer.answer::<V, T>(node, kind, names.take(PARTS).collect());
            return Err(Stop);
        };
        let node = tracer.part(node, index).ok_or(Stop)?;
        Ok((index, Self { tracer, node, path, wraps: 0 }))
    }

    fn leaf(self, word: &'static str) -> Stop {
        if self.tracer.count_step().is_ok() && self.path.is_empty() {
            self.tracer.answer_leaf(self.node, word);
        }
        Stop
    }

    /// The type at this place is about to be asked what it is.
    fn ask(self, name: Option<&'static str>) -> Self {
        if self.path.is_empty() {
            self.tracer.ask(self.node, name);
        }
        self
    }

    fn seed<'de, S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Stop> {
        seed.deserialize(self.ask(Some(type_name::<S::Value>())))
    }

    fn parts<'de, V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Stop> {
        let names = std::iter::repeat_n(None, len);
        let (before, place) = self.step::<V, V::Value>(Kind::Tuple, names)?;
        visitor.visit_seq(Elements { before, place: Some(place), tracer: self.tracer })
    }

    fn fields<'de, V: Visitor<'de>>(
        self,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let fields = names.iter().copied().map(Some);
        let (index, place) = self.step::<V, V::Value>(Kind::Struct, fields)?;
        let tracer = self.tracer;
        if tracer.by_name() {
            let name = names.get(index).map(|name| Name { name, index });
            visitor.visit_map(Field { name, place: Some(place), tracer })
        } else {
            visitor.visit_seq(Elements { before: index, place: Some(place), tracer })
        }
    }
}

const ROOT: usize = 0;

/// More than a trace accepts.
const PARTS: usize = 5000;

/// How many newtypes may stand around one type.
const WRAPS: usize = 64;

/// Tells newtypes from what they hold.
const NEWTYPE: Kind = Kind::Leaf("newtype");

macro_rules! leaves {
    ($($deserialize:ident => $word:expr),* $(,)?) => {$(
        fn $deserialize<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
            Err(self.leaf($word))
        }
    )*};
}

impl<'de> Deserializer<'de> for Walk<'_> {
    type Error = Stop;

    leaves! {
        deserialize_bool => "bool",
        deserialize_i8 => "i8",
        deserialize_i16 => "i16",
        deserialize_i32 => "i32",
        deserialize_i64 => "i64",
        deserialize_i128 => "i128",
        deserialize_u8 => "u8",
        deserialize_u16 => "u16",
        deserialize_u32 => "u32",
        deserialize_u64 => "u64",
        deserialize_u128 => "u128",
        deserialize_f32 => "f32",
        deserialize_f64 => "f64",
        deserialize_char => "char",
        deserialize_str => "str",
        deserialize_string => "str",
        deserialize_bytes => "bytes",
        deserialize_byte_buf => "bytes",
        deserialize_unit => "unit",
        deserialize_any => UNDESCRIBED,
        deserialize_identifier => UNDESCRIBED,
        deserialize_ignored_any => UNDESCRIBED,
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: V,
    ) -> Result<V::Value, Stop> {
        Err(self.leaf("unit"))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        // It is what it holds, and known again by its own name only if it holds itself.
        self.tracer.count_step()?;
        let known =
            self.path.is_empty() && self.tracer.meet::<V, V::Value>(self.node, &NEWTYPE, &[]);
        if known || self.wraps > WRAPS {
            return Err(Stop);
        }
        visitor.visit_newtype_struct(Self { wraps: self.wraps + 1, ..self })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let (_, place) = self.step::<V, V::Value>(Kind::Option, [None].into_iter())?;
        visitor.visit_some(place.ask(None))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let (_, place) = self.step::<V, V::Value>(Kind::Seq, [None].into_iter())?;
        visitor.visit_seq(Elements { before: 0, place: Some(place), tracer: self.tracer })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let (index, place) = self.step::<V, V::Value>(Kind::Map, [None, None].into_iter())?;
        visitor.visit_map(Entry { index, place: Some(place), tracer: self.tracer })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Stop> {
        self.parts(len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.parts(len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.fields(fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let names = variants.iter().copied().map(Some);
        let (index, place) = self.step::<V, V::Value>(Kind::Enum, names)?;
        let name = variants.get(index).ok_or(Stop)?;
        visitor.visit_enum(Variant { name: Name { name, index }, place })
    }

    fn is_human_readable(&self) -> bool {
        self.tracer.readable
    }
}

/// The elements of a sequence or tuple, the fields of a struct by position.
struct Elements<'a> {
    /// How many samples come first.
    before: usize,
    place: Option<Walk<'a>>,
    tracer: &'a Tracer,
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Stop;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        self.tracer.count_step()?;
        if let Some(before) = self.before.checked_sub(1) {
            self.before = before;
            return seed.deserialize(Sample::new(self.tracer)).map(Some);
        }
        self.place.take().ok_or(Stop)?.seed(seed).map(Some)
    }
}

/// A field of a struct, by its name.
struct Field<'a> {
    name: Option<Name>,
    place: Option<Walk<'a>>,
    tracer: &'a Tracer,
}

impl<'de> MapAccess<'de> for Field<'_> {
    type Error = Stop;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        self.tracer.count_step()?;
        seed.deserialize(self.name.take().ok_or(Stop)?).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        self.tracer.count_step()?;
        self.place.take().ok_or(Stop)?.seed(seed)
    }
}

/// The key of a map (0) or its value (1).
struct Entry<'a> {
    index: usize,
    place: Option<Walk<'a>>,
    tracer: &'a Tracer,
}

impl<'de> MapAccess<'de> for Entry<'_> {
    type Error = Stop;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        self.tracer.count_step()?;
        if self.index == 0 {
            return self.place.take().ok_or(Stop)?.seed(seed).map(Some);
        }
        seed.deserialize(Sample::new(self.tracer)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        self.tracer.count_step()?;
        self.place.take().ok_or(Stop)?.seed(seed)
    }

    /// To most maps the value comes without a key.
    fn next_entry_seed<K: DeserializeSeed<'de>, S: DeserializeSeed<'de>>(
        &mut self,
        key: K,
        value: S,
    ) -> Result<Option<(K::Value, S::Value)>, Stop> {
        self.tracer.count_step()?;
        let place = self.place.take().ok_or(Stop)?;
        if self.index == 0 {
            place.seed(key).map(drop)?;
        } else {
            place.seed(value).map(drop)?;
        }
        Err(Stop)
    }
}

/// A variant and the place of what it holds.
struct Variant<'a> {
    name: Name,
    place: Walk<'a>,
}

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = Stop;
    type Variant = Walk<'a>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Walk<'a>), Stop> {
        Ok((seed.deserialize(self.name)?, self.place.ask(None)))
    }
}

impl<'de> VariantAccess<'de> for Walk<'_> {
    type Error = Stop;

    fn unit_variant(self) -> Result<(), Stop> {
        Err(self.leaf("unit"))
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Stop> {
        self.seed(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Stop> {
        self.parts(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.fields(fields, visitor)
    }
}

/// The name of a field or variant; its number for a type that reads one.
#[derive(Clone, Copy)]
pub(super) struct Name {
    pub(super) name: &'static str,
    pub(super) index: usize,
}

macro_rules! numbers {
    ($($deserialize:ident),*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
            visitor.visit_u64(self.index as u64)
        }
    )*};
}

impl<'de> Deserializer<'de> for Name {
    type Error = Stop;

    numbers! {
        deserialize_u8, deserialize_u16, deserialize_u32, deserialize_u64,
        deserialize_i8, deserialize_i16, deserialize_i32, deserialize_i64
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_borrowed_str(self.name)
    }

    serde::forward_to_deserialize_any! {
        bool i128 u128 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
