//! Values that stay whole inside someone's own types.
//!
//! serde's data model knows no tuples apart from sequences, no sets and no integers of any size. So
//! a [`Value`] in a struct would lose what makes it one on the way through [`to_value`] and
//! [`from_value`]. Here is the way around: the types of this module announce themselves as a newtype
//! struct of a reserved name. Other formats see through a newtype; the two of ours know the name,
//! and the value changes hands over a slot of the thread instead of through serde.
//!
//! [`to_value`]: super::to_value
//! [`from_value`]: super::from_value

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

use super::{Dict, Int, Object, Set, Value};

/// The reserved name.
pub(super) const NAME: &str = "$dip::Value";

thread_local! {
    static SLOT: Cell<Slot> = const { Cell::new(Slot::Empty) };
}

enum Slot {
    Empty,
    /// The next value is to be put here, if no more than that many containers stand inside each
    /// other.
    Wanted(usize),
    Full(Value),
    /// There was one, but nested deeper.
    TooDeep,
}

fn take() -> Slot {
    SLOT.replace(Slot::Empty)
}

/// What a newtype struct of the reserved name turned out to hold.
pub(super) enum Received {
    Value(Value),
    TooDeep,
    /// Someone else uses the name.
    Nothing,
}

/// What a newtype struct of the reserved name holds: `serialize` is to serialize its content.
///
/// # Errors
///
/// Those of `serialize`.
pub(super) fn receive<T, E>(
    limit: usize,
    serialize: impl FnOnce() -> Result<T, E>,
) -> Result<Received, E> {
    let _emptied = Emptied;
    SLOT.set(Slot::Wanted(limit));
    serialize()?;
    Ok(match take() {
        Slot::Full(value) => Received::Value(value),
        Slot::TooDeep => Received::TooDeep,
        Slot::Empty | Slot::Wanted(_) => Received::Nothing,
    })
}

/// Gives `value` to whoever asks for a newtype struct of the reserved name while `visit` runs.
pub(super) fn send<T>(value: Value, visit: impl FnOnce() -> T) -> T {
    let _emptied = Emptied;
    SLOT.set(Slot::Full(value));
    visit()
}

/// Leaves nothing behind for the next one, after an error or a panic either.
struct Emptied;

impl Drop for Emptied {
    fn drop(&mut self) {
        take();
    }
}

/// A type that stays whole.
pub(super) trait Carry: Sized {
    const EXPECTED: &'static str;

    /// `None` when more than `limit` containers stand inside each other.
    fn to_value(&self, limit: usize) -> Option<Value>;

    /// The value itself comes back when it is of another kind.
    fn from_value(value: Value) -> Result<Self, Value>;

    /// For the formats of others.
    fn serialize_plain<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;

    /// From the formats of others.
    fn deserialize_plain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

struct Carried<'a, T>(&'a T);

impl<T: Carry> Serialize for Carried<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match take() {
            Slot::Wanted(limit) => {
                SLOT.set(self.0.to_value(limit).map_or(Slot::TooDeep, Slot::Full));
                serializer.serialize_unit()
            }
            Slot::Empty | Slot::Full(_) | Slot::TooDeep => self.0.serialize_plain(serializer),
        }
    }
}

struct Carrier<T>(PhantomData<T>);

impl<'de, T: Carry> Visitor<'de> for Carrier<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        match take() {
            Slot::Full(value) => T::from_value(value).map_err(|value| {
                serde::de::Error::invalid_type(super::de::unexpected(&value), &self)
            }),
            Slot::Empty | Slot::Wanted(_) | Slot::TooDeep => T::deserialize_plain(deserializer),
        }
    }
}

macro_rules! carried {
    ($($T:ty),*) => {$(
        impl Serialize for $T {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_newtype_struct(NAME, &Carried(self))
            }
        }

        impl<'de> Deserialize<'de> for $T {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_newtype_struct(NAME, Carrier(PhantomData))
            }
        }
    )*};
}

carried!(Value, Int, Dict, Set, Object);
