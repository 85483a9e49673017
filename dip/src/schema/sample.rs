//! Values that stand in for those before the one that a pass is after.

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::trace::{SAMPLES, Stop, Tracer};
use super::walk::Name;

/// What the scalars of each round are. A type that checks what it reads may like one of them.
const ROUNDS: [Round; SAMPLES] = [
    Round { number: 1, text: "1", len: 16 },
    Round { number: 0, text: "", len: 0 },
    Round { number: 2, text: "a", len: 4 },
    Round { number: 10, text: "00000000-0000-0000-0000-000000000000", len: 32 },
    Round { number: 100, text: "127.0.0.1", len: 8 },
    Round { number: 64, text: "2000-01-01T00:00:00Z", len: 12 },
    Round { number: 32, text: "2000-01-01", len: 20 },
    Round { number: 127, text: "http://localhost/", len: 64 },
];

struct Round {
    number: u8,
    text: &'static str,
    len: usize,
}

/// How deep a sample may be nested, for types that contain themselves.
const DEPTH: usize = 32;

/// Some value of whatever type is asked for.
#[derive(Clone, Copy)]
pub(super) struct Sample<'a> {
    tracer: &'a Tracer,
    depth: usize,
}

impl<'a> Sample<'a> {
    pub(super) fn new(tracer: &'a Tracer) -> Self {
        Self { tracer, depth: 0 }
    }

    fn round(self) -> Result<&'static Round, Stop> {
        self.tracer.count_step()?;
        ROUNDS.get(self.tracer.sample()).ok_or(Stop)
    }

    fn inner(self) -> Result<Self, Stop> {
        self.tracer.count_step()?;
        if self.depth == DEPTH {
            return Err(Stop);
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    fn parts<'de, V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_seq(Samples { sample: self.inner()?, left: len })
    }

    /// Sequences and maps are empty in the first half of the rounds: that ends those that contain
    /// themselves.
    fn elements(self) -> Result<Samples<'a>, Stop> {
        let left = usize::from(self.tracer.sample() >= SAMPLES / 2);
        Ok(Samples { sample: self.inner()?, left })
    }
}

macro_rules! numbers {
    ($($deserialize:ident => $visit:ident),*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
            visitor.$visit(self.round()?.number.into())
        }
    )*};
}

impl<'de> Deserializer<'de> for Sample<'_> {
    type Error = Stop;

    numbers! {
        deserialize_i16 => visit_i16,
        deserialize_i32 => visit_i32,
        deserialize_i64 => visit_i64,
        deserialize_i128 => visit_i128,
        deserialize_u8 => visit_u8,
        deserialize_u16 => visit_u16,
        deserialize_u32 => visit_u32,
        deserialize_u64 => visit_u64,
        deserialize_u128 => visit_u128,
        deserialize_f32 => visit_f32,
        deserialize_f64 => visit_f64,
        deserialize_char => visit_char
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_bool(self.round()?.number == 1)
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_i8(self.round()?.number.cast_signed())
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_borrowed_str(self.round()?.text)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_string(self.round()?.text.to_owned())
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_borrowed_bytes(&[0; 64][..self.round()?.len])
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_byte_buf(vec![0; self.round()?.len])
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.round()?;
        visitor.visit_none()
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.round()?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        visitor.visit_newtype_struct(self.inner()?)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_seq(self.elements()?)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_map(self.elements()?)
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
        self.parts(fields.len(), visitor)
    }

    /// Another variant in each round: some contain the enum itself.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let index = self.tracer.sample().checked_rem(variants.len()).ok_or(Stop)?;
        let name = variants.get(index).ok_or(Stop)?;
        visitor.visit_enum(Variant { name: Name { name, index }, sample: self.inner()? })
    }

    /// Null, for types that take whatever comes.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_str(visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.tracer.readable
    }
}

/// A number of samples.
struct Samples<'a> {
    sample: Sample<'a>,
    left: usize,
}

impl Samples<'_> {
    fn next<'de, S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Stop> {
        self.sample.tracer.count_step()?;
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(self.sample).map(Some)
    }
}

impl<'de> SeqAccess<'de> for Samples<'_> {
    type Error = Stop;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        self.next(seed)
    }
}

impl<'de> MapAccess<'de> for Samples<'_> {
    type Error = Stop;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        self.next(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        seed.deserialize(self.sample)
    }
}

struct Variant<'a> {
    name: Name,
    sample: Sample<'a>,
}

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = Stop;
    type Variant = Sample<'a>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Sample<'a>), Stop> {
        Ok((seed.deserialize(self.name)?, self.sample))
    }
}

impl<'de> VariantAccess<'de> for Sample<'_> {
    type Error = Stop;

    fn unit_variant(self) -> Result<(), Stop> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Stop> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Stop> {
        self.parts(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.parts(fields.len(), visitor)
    }
}
