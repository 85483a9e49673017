//! Types whose `Deserialize` goes wrong, or has much to say.

use std::fmt;
use std::num::NonZeroU8;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::bincode::shape;

macro_rules! by_hand {
    ($($Name:ident = $deserialize:expr;)*) => {$(
        struct $Name;

        impl<'de> Deserialize<'de> for $Name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let deserialize: fn(D) -> Result<(), D::Error> = $deserialize;
                deserialize(deserializer).map(|()| $Name)
            }
        }
    )*};
}

by_hand! {
    Panics = |_| panic!("no");
    PanicsLate = |from| {
        String::deserialize(from).ok();
        panic!("no")
    };
    AsksNothing = |_| Ok(());
    Fails = |_| Err(Error::custom("no"));
    SwallowsErrors = |from| {
        Vec::<u8>::deserialize(from).unwrap_or_default();
        Ok(())
    };
    GoesOn = |from| from.deserialize_seq(Forever);
    PanicsOnDrop = |from| {
        u8::deserialize(from).ok();
        std::panic::panic_any(Bomb)
    };
}

/// Takes errors for elements.
struct Forever;

impl<'de> Visitor<'de> for Forever {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("elements without end")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while !matches!(elements.next_element::<u8>(), Ok(None)) {}
        Ok(())
    }
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("no")
    }
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its shape is looked at")]
struct Around<T> {
    before: u8,
    held: T,
    after: u8,
}

#[test]
fn what_goes_wrong_stays_where_it_is() {
    shapes! {
        Around<Panics> => "struct(before u8, held opaque Panics, after u8)",
        Around<PanicsLate> => "struct(before u8, held str, after u8)",
        Around<AsksNothing> => "struct(before u8, held opaque AsksNothing, after u8)",
        Around<Fails> => "struct(before u8, held opaque Fails, after u8)",
        Around<SwallowsErrors> => "struct(before u8, held seq(u8), after u8)",
        Around<GoesOn> => "struct(before u8, held seq(u8), after u8)",
        Around<PanicsOnDrop> => "struct(before u8, held u8, after u8)",
        (u8, Panics, u8) => "opaque \"(u8, Panics, u8)\"",
    }
}

type EightDeep<T> = Option<(Option<(Option<(Option<(T, u8)>, u8)>, u8)>, u8)>;
type Deep<T> = EightDeep<EightDeep<EightDeep<EightDeep<EightDeep<EightDeep<EightDeep<T>>>>>>>;

#[test]
fn a_type_is_nested_as_deep_as_a_thread_has_room_for() {
    let deep = shape::<Deep<u8>>();
    assert_eq!((deep.matches("option").count(), deep.matches("tuple").count()), (28, 28));
    assert!(shape::<Deep<EightDeep<EightDeep<u8>>>>().starts_with("opaque"));
}

by_hand! {
    Wide = |from| from.deserialize_tuple(usize::MAX, Forever);
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its shape is looked at")]
struct Twice<T>(T, Vec<T>, T);

type Doubled<T> = Twice<Twice<Twice<Twice<T>>>>;

#[test]
fn no_type_takes_for_ever() {
    shapes! {
        Wide => "opaque Wide",
    }
    let shape = shape::<Doubled<Doubled<Doubled<u8>>>>();
    assert_eq!(shape.matches("tuple").count(), 12, "{shape}");
}

/// Reads its fields only in their order.
struct InOrder;

impl<'de> Deserialize<'de> for InOrder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TwoFields;

        impl<'de> Visitor<'de> for TwoFields {
            type Value = InOrder;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("two fields")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut fields: A) -> Result<InOrder, A::Error> {
                fields.next_element::<NonZeroU8>()?.ok_or_else(|| A::Error::missing_field("a"))?;
                fields.next_element::<String>()?.ok_or_else(|| A::Error::missing_field("b"))?;
                Ok(InOrder)
            }
        }

        deserializer.deserialize_struct("InOrder", &["a", "b"], TwoFields)
    }
}

#[test]
fn a_struct_may_read_its_fields_only_in_their_order() {
    shapes! {
        InOrder => "struct(a u8, b str)",
        (InOrder, Vec<InOrder>) => "tuple(#1=struct(a u8, b str), seq(#1))",
    }
}
