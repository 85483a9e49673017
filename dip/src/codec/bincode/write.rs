//! From a type to bytes, within the depth that is read again.
//!
//! The same division as in reading: bincode writes numbers and byte strings, and serde's types are
//! laid out here as `bincode::serde` lays them out; but depth is limited, and what could not be read
//! again is an error instead of a body that means something else.

use bincode::config::{Configuration, standard};
use bincode::enc::write::Writer;
use bincode::enc::{Encode, EncoderImpl};
use bincode::error::EncodeError as Unwritable;
use serde::ser::{self, Error, Serialize, Serializer};

use crate::codec::{BodyMut, DEPTH, EncodeError};
use crate::value::Fault;

pub(super) fn value<T: Serialize>(value: &T, body: &mut BodyMut<'_>) -> Result<(), EncodeError> {
    let mut encoder = EncoderImpl::new(body, standard());
    let output = Output { encoder: &mut encoder, depth: 0 };
    value.serialize(output).map_err(Fault::into_encode_error)
}

impl Writer for BodyMut<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), Unwritable> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

struct Output<'a, W: Writer> {
    encoder: &'a mut EncoderImpl<W, Configuration>,
    /// How many sequences, maps, variants and `Some` it is inside of.
    depth: usize,
}

impl<'a, W: Writer> Output<'a, W> {
    #[inline]
    fn put(&mut self, value: impl Encode) -> Result<(), Fault> {
        value.encode(self.encoder).map_err(|_| Fault::custom("bincode cannot hold the value"))
    }

    fn deeper(self) -> Result<Self, Fault> {
        match self.depth {
            DEPTH => Err(Fault::too_deep(DEPTH)),
            depth => Ok(Self { depth: depth + 1, ..self }),
        }
    }

    /// For parts whose number the type tells.
    fn parts(self) -> Parts<'a, W> {
        Parts { output: self, at: 0, len: None }
    }

    /// For elements whose number is written in front.
    fn elements(mut self, len: Option<usize>) -> Result<Parts<'a, W>, Fault> {
        let len = len.ok_or_else(|| {
            Fault::custom("bincode needs the length in front, which is not known: see `flatten`")
        })?;
        self.put(len)?;
        Ok(Parts { output: self.deeper()?, at: 0, len: Some(len) })
    }
}

macro_rules! scalars {
    ($($serialize:ident($t:ty)),*) => {$(
        #[inline]
        fn $serialize(mut self, value: $t) -> Result<(), Fault> {
            self.put(value)
        }
    )*};
}

impl<'a, W: Writer> Serializer for Output<'a, W> {
    type Ok = ();
    type Error = Fault;
    type SerializeSeq = Parts<'a, W>;
    type SerializeTuple = Parts<'a, W>;
    type SerializeTupleStruct = Parts<'a, W>;
    type SerializeTupleVariant = Parts<'a, W>;
    type SerializeMap = Parts<'a, W>;
    type SerializeStruct = Parts<'a, W>;
    type SerializeStructVariant = Parts<'a, W>;

    scalars! {
        serialize_bool(bool),
        serialize_i8(i8),
        serialize_i16(i16),
        serialize_i32(i32),
        serialize_i64(i64),
        serialize_i128(i128),
        serialize_u8(u8),
        serialize_u16(u16),
        serialize_u32(u32),
        serialize_u64(u64),
        serialize_u128(u128),
        serialize_f32(f32),
        serialize_f64(f64),
        serialize_char(char),
        serialize_str(&str),
        serialize_bytes(&[u8])
    }

    fn serialize_none(mut self) -> Result<(), Fault> {
        self.put(0_u8)
    }

    fn serialize_some<T: Serialize + ?Sized>(mut self, value: &T) -> Result<(), Fault> {
        self.put(1_u8)?;
        value.serialize(self.deeper()?)
    }

    fn serialize_unit(self) -> Result<(), Fault> {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Fault> {
        Ok(())
    }

    fn serialize_unit_variant(
        mut self,
        _: &'static str,
        index: u32,
        _: &'static str,
    ) -> Result<(), Fault> {
        self.put(index)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Fault> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Fault> {
        self.put(index)?;
        value.serialize(self.deeper()?)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Parts<'a, W>, Fault> {
        self.elements(len)
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts<'a, W>, Fault> {
        Ok(self.parts())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts<'a, W>, Fault> {
        Ok(self.parts())
    }

    fn serialize_tuple_variant(
        mut self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Parts<'a, W>, Fault> {
        self.put(index)?;
        Ok(self.deeper()?.parts())
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Parts<'a, W>, Fault> {
        self.elements(len)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts<'a, W>, Fault> {
        Ok(self.parts())
    }

    fn serialize_struct_variant(
        mut self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Parts<'a, W>, Fault> {
        self.put(index)?;
        Ok(self.deeper()?.parts())
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// What stands inside a value, one after the other.
struct Parts<'a, W: Writer> {
    output: Output<'a, W>,
    at: usize,
    /// The number that was written in front, if any.
    len: Option<usize>,
}

impl<W: Writer> Parts<'_, W> {
    fn put<T: Serialize + ?Sized>(&mut self, part: &T) -> Result<(), Fault> {
        let output = Output { encoder: self.output.encoder, depth: self.output.depth };
        part.serialize(output)
    }

    fn item<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Fault> {
        self.put(item).map_err(|fault| fault.in_item(self.at))?;
        self.at += 1;
        Ok(())
    }

    fn finish(self) -> Result<(), Fault> {
        match self.len {
            Some(len) if len != self.at => {
                Err(Fault::custom(format!("there are {} elements, not {len} as said", self.at)))
            }
            _ => Ok(()),
        }
    }
}

macro_rules! items {
    ($($Trait:ident::$serialize:ident),*) => {$(
        impl<W: Writer> ser::$Trait for Parts<'_, W> {
            type Ok = ();
            type Error = Fault;

            fn $serialize<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Fault> {
                self.item(item)
            }

            fn end(self) -> Result<(), Fault> {
                self.finish()
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

impl<W: Writer> ser::SerializeMap for Parts<'_, W> {
    type Ok = ();
    type Error = Fault;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Fault> {
        self.put(key).map_err(|fault| fault.in_item(self.at))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.item(value)
    }

    fn end(self) -> Result<(), Fault> {
        self.finish()
    }
}

macro_rules! fields {
    ($($Trait:ident),*) => {$(
        impl<W: Writer> ser::$Trait for Parts<'_, W> {
            type Ok = ();
            type Error = Fault;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                field: &T,
            ) -> Result<(), Fault> {
                self.put(field).map_err(|fault| fault.in_field(name))
            }

            /// The reader could not know that it is missing.
            fn skip_field(&mut self, name: &'static str) -> Result<(), Fault> {
                Err(Fault::custom("bincode cannot leave a field out").in_field(name))
            }

            fn end(self) -> Result<(), Fault> {
                self.finish()
            }
        }
    )*};
}

fields!(SerializeStruct, SerializeStructVariant);
