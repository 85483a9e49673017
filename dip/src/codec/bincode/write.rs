//! From a type to bytes, within the depth that is read again.
//!
//! The same division as in reading: numbers and byte strings are written by [`Output`], and serde's
//! types are laid out here as `bincode::serde` lays them out; but depth is limited, and what could
//! not be read again is an error instead of a body that means something else.

use bincode::config::standard;
use bincode::enc::{Encode, EncoderImpl};
use serde::ser::{self, Error, Serialize, Serializer};

use super::output::Output;
use crate::codec::{BodyMut, DEPTH, EncodeError, ROOM, Room};
use crate::value::Fault;

#[inline(always)]
pub(super) fn value<T: Serialize>(value: &T, body: &mut BodyMut<'_>) -> Result<(), EncodeError> {
    if let Some(room) = body.take_room() {
        let rest = spilling(value, room, body)?;
        body.stay(room, rest);
    } else {
        let mut room = [0; ROOM];
        let rest = spilling(value, &mut room, body)?;
        body.extend_from_slice(&room[..rest]);
    }
    Ok(())
}

/// Writes to `room`, and to `body` when that is full. Says how many bytes of the room are not in `body`.
#[inline(always)]
fn spilling<T: Serialize>(
    value: &T,
    room: &mut Room,
    body: &mut BodyMut<'_>,
) -> Result<usize, EncodeError> {
    let mut append = |bytes: &[u8]| body.extend_from_slice(bytes);
    let mut out = Output::new(room, &mut append);
    value.serialize(Place { out: &mut out, depth: 0 }).map_err(Fault::into_encode_error)?;
    Ok(out.finish())
}

/// Where a value is written to.
struct Place<'a, 'out> {
    out: &'a mut Output<'out>,
    /// How many sequences, maps, variants and `Some` it is inside of.
    depth: usize,
}

impl<'a, 'out> Place<'a, 'out> {
    /// What few messages hold, by bincode itself.
    #[inline]
    fn put(self, value: impl Encode) -> Result<(), Fault> {
        value.encode(&mut EncoderImpl::new(self.out, standard())).map_err(|_| impossible())
    }

    #[inline]
    fn deeper(self) -> Result<Self, Fault> {
        match self.depth {
            DEPTH => Err(Fault::too_deep(DEPTH)),
            depth => Ok(Self { depth: depth + 1, ..self }),
        }
    }

    /// For parts whose number the type tells.
    #[inline]
    fn parts(self) -> Parts<'a, 'out> {
        Parts { place: self, at: 0, len: None }
    }

    /// For elements whose number is written in front.
    #[inline]
    fn elements(self, len: Option<usize>) -> Result<Parts<'a, 'out>, Fault> {
        let len = len.ok_or_else(no_length)?;
        self.out.unsigned(len as u64);
        Ok(Parts { place: self.deeper()?, at: 0, len: Some(len) })
    }

    #[inline]
    fn variant(self, index: u32) -> Result<Self, Fault> {
        self.out.unsigned(index.into());
        self.deeper()
    }
}

#[cold]
fn impossible() -> Fault {
    Fault::custom("bincode cannot hold the value")
}

#[cold]
fn no_length() -> Fault {
    Fault::custom("bincode needs the length in front, which is not known: see `flatten`")
}

macro_rules! scalars {
    ($($serialize:ident($value:ident: $t:ty) => $put:ident($put_value:expr)),* $(,)?) => {$(
        #[inline]
        fn $serialize(self, $value: $t) -> Result<(), Fault> {
            self.out.$put($put_value);
            Ok(())
        }
    )*};
}

impl<'a, 'out> Serializer for Place<'a, 'out> {
    type Ok = ();
    type Error = Fault;
    type SerializeSeq = Parts<'a, 'out>;
    type SerializeTuple = Parts<'a, 'out>;
    type SerializeTupleStruct = Parts<'a, 'out>;
    type SerializeTupleVariant = Parts<'a, 'out>;
    type SerializeMap = Parts<'a, 'out>;
    type SerializeStruct = Parts<'a, 'out>;
    type SerializeStructVariant = Parts<'a, 'out>;

    scalars! {
        serialize_bool(value: bool) => fixed_width([value.into()]),
        serialize_i8(value: i8) => fixed_width(value.to_le_bytes()),
        serialize_i16(value: i16) => signed(value.into()),
        serialize_i32(value: i32) => signed(value.into()),
        serialize_i64(value: i64) => signed(value),
        serialize_u8(value: u8) => fixed_width([value]),
        serialize_u16(value: u16) => unsigned(value.into()),
        serialize_u32(value: u32) => narrow(value),
        serialize_u64(value: u64) => unsigned(value),
        serialize_f32(value: f32) => fixed_width(value.to_le_bytes()),
        serialize_f64(value: f64) => fixed_width(value.to_le_bytes()),
        serialize_str(value: &str) => bytes(value.as_bytes()),
        serialize_bytes(value: &[u8]) => bytes(value),
    }

    #[inline]
    fn serialize_i128(self, value: i128) -> Result<(), Fault> {
        self.put(value)
    }

    #[inline]
    fn serialize_u128(self, value: u128) -> Result<(), Fault> {
        self.put(value)
    }

    #[inline]
    fn serialize_char(self, value: char) -> Result<(), Fault> {
        self.put(value)
    }

    #[inline]
    fn serialize_none(self) -> Result<(), Fault> {
        self.out.fixed_width([0]);
        Ok(())
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Fault> {
        self.out.fixed_width([1]);
        value.serialize(self.deeper()?)
    }

    #[inline]
    fn serialize_unit(self) -> Result<(), Fault> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Fault> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
    ) -> Result<(), Fault> {
        self.out.unsigned(index.into());
        Ok(())
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Fault> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Fault> {
        value.serialize(self.variant(index)?)
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Parts<'a, 'out>, Fault> {
        self.elements(len)
    }

    #[inline]
    fn serialize_tuple(self, _: usize) -> Result<Parts<'a, 'out>, Fault> {
        Ok(self.parts())
    }

    #[inline]
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts<'a, 'out>, Fault> {
        Ok(self.parts())
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Parts<'a, 'out>, Fault> {
        Ok(self.variant(index)?.parts())
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Parts<'a, 'out>, Fault> {
        self.elements(len)
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts<'a, 'out>, Fault> {
        Ok(self.parts())
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Parts<'a, 'out>, Fault> {
        Ok(self.variant(index)?.parts())
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// What stands inside a value, one after the other.
struct Parts<'a, 'out> {
    place: Place<'a, 'out>,
    at: usize,
    /// The number that was written in front, if any.
    len: Option<usize>,
}

impl Parts<'_, '_> {
    #[inline]
    fn put<T: Serialize + ?Sized>(&mut self, part: &T) -> Result<(), Fault> {
        part.serialize(Place { out: self.place.out, depth: self.place.depth })
    }

    #[inline]
    fn item<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Fault> {
        self.put(item).map_err(|fault| fault.in_item(self.at))?;
        self.at += 1;
        Ok(())
    }

    #[inline]
    fn finish(self) -> Result<(), Fault> {
        match self.len {
            Some(len) if len != self.at => Err(belied(self.at, len)),
            _ => Ok(()),
        }
    }
}

#[cold]
fn belied(at: usize, len: usize) -> Fault {
    Fault::custom(format!("there are {at} elements, not {len} as said"))
}

macro_rules! items {
    ($($Trait:ident::$serialize:ident),*) => {$(
        impl ser::$Trait for Parts<'_, '_> {
            type Ok = ();
            type Error = Fault;

            #[inline]
            fn $serialize<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Fault> {
                self.item(item)
            }

            #[inline]
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

impl ser::SerializeMap for Parts<'_, '_> {
    type Ok = ();
    type Error = Fault;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Fault> {
        self.put(key).map_err(|fault| fault.in_item(self.at))
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.item(value)
    }

    #[inline]
    fn end(self) -> Result<(), Fault> {
        self.finish()
    }
}

macro_rules! fields {
    ($($Trait:ident),*) => {$(
        impl ser::$Trait for Parts<'_, '_> {
            type Ok = ();
            type Error = Fault;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                field: &T,
            ) -> Result<(), Fault> {
                self.put(field).map_err(|fault| fault.in_field(name))
            }

            /// The reader could not know that it is missing.
            #[cold]
            fn skip_field(&mut self, name: &'static str) -> Result<(), Fault> {
                Err(Fault::custom("bincode cannot leave a field out").in_field(name))
            }

            #[inline]
            fn end(self) -> Result<(), Fault> {
                self.finish()
            }
        }
    )*};
}

fields!(SerializeStruct, SerializeStructVariant);
