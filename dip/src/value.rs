//! The one dynamic type: whatever a Python peer sends as plain data, without loss.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::LazyLock;

mod access;
mod carry;
mod de;
mod dict;
mod fault;
pub(crate) mod float;
mod int;
mod json;
mod plain;
mod ser;
mod set;

pub use de::from_value;
pub use dict::Dict;
#[cfg(feature = "bincode")]
pub(crate) use fault::Fault;
pub(crate) use fault::cut;
pub use int::{Int, NotAnInt, OutOfRange};
pub use json::NotJson;
pub use ser::to_value;
pub use set::Set;

/// How many containers may stand inside each other; what is nested deeper is neither read nor made
/// by this crate, so that no walk through a value needs more than a thread's usual stack.
pub(crate) const MAX_DEPTH: usize = 1000;

/// Any plain Python value, and nothing is lost: integers of any size, `NaN` and the infinities,
/// the difference between list and tuple, bytes and bytearray, the order of keys.
///
/// Two values are equal when they are of the same kind and hold the same: `1`, `1.0` and `true`
/// differ, as do `0.0` and `-0.0`; `NaN` equals a `NaN` of the same bits. The order of a dict's
/// entries and of a set's items does not count.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// `None`, `null`.
    #[default]
    Null,
    /// `True` or `False`.
    Bool(bool),
    /// An integer of any size.
    Int(Int),
    /// A float, `NaN` and the infinities included.
    Float(f64),
    /// Text.
    Text(String),
    /// `bytes`.
    Bytes(Vec<u8>),
    /// `bytearray`.
    Bytearray(Vec<u8>),
    /// A list.
    List(Vec<Value>),
    /// A tuple.
    Tuple(Vec<Value>),
    /// A set.
    Set(Set),
    /// A frozenset.
    Frozenset(Set),
    /// A dict: keys of any hashable kind, in order.
    Dict(Dict),
    /// An object of a class that is not plain data; read only where
    /// [`PicklePolicy::inert`](crate::codec::PicklePolicy::inert) allows it.
    Object(Box<Object>),
}

/// What a pickle says of an object: its class, what it would be called with, its state. Nothing of
/// it has been executed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Object {
    /// Module and name of the class, as in `datetime.datetime`.
    pub class: String,
    /// The positional arguments the object would be made with.
    pub args: Vec<Value>,
    /// The keyword arguments it would be made with.
    pub kwargs: Dict,
    /// What would be given to `__setstate__`, if anything.
    pub state: Option<Value>,
    /// What would be appended to the object (list-like classes).
    pub items: Vec<Value>,
    /// What would be set on the object by key (dict-like classes), in order.
    pub entries: Vec<(Value, Value)>,
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) | (Self::Bytearray(a), Self::Bytearray(b)) => a == b,
            (Self::List(a), Self::List(b)) | (Self::Tuple(a), Self::Tuple(b)) => a == b,
            (Self::Set(a), Self::Set(b)) | (Self::Frozenset(a), Self::Frozenset(b)) => a == b,
            (Self::Dict(a), Self::Dict(b)) => a == b,
            (Self::Object(a), Self::Object(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Self::Null => {}
            Self::Bool(bool) => bool.hash(state),
            Self::Int(int) => int.hash(state),
            Self::Float(float) => float.to_bits().hash(state),
            Self::Text(text) => text.hash(state),
            Self::Bytes(bytes) | Self::Bytearray(bytes) => bytes.hash(state),
            Self::List(items) | Self::Tuple(items) => items.hash(state),
            Self::Set(set) | Self::Frozenset(set) => set.hash(state),
            Self::Dict(dict) => dict.hash(state),
            Self::Object(object) => object.hash(state),
        }
    }
}

/// Hashes items so that their order does not count. Each hash depends on a secret of the process:
/// a peer can't send items that all hash alike, which would make sets of them slow.
fn hash_unordered<T: Hash, H: Hasher>(items: impl ExactSizeIterator<Item = T>, state: &mut H) {
    static SECRET: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    items.len().hash(state);
    items.fold(0_u64, |sum, item| sum.wrapping_add(SECRET.hash_one(item))).hash(state);
}

macro_rules! from {
    ($($t:ty => |$value:ident| $to:expr),* $(,)?) => {$(
        impl From<$t> for Value {
            fn from($value: $t) -> Self {
                $to
            }
        }
    )*};
}

from! {
    () => |_unit| Self::Null,
    bool => |value| Self::Bool(value),
    i8 => |value| Self::Int(value.into()),
    i16 => |value| Self::Int(value.into()),
    i128 => |value| Self::Int(value.into()),
    isize => |value| Self::Int(value.into()),
    u8 => |value| Self::Int(value.into()),
    u16 => |value| Self::Int(value.into()),
    u128 => |value| Self::Int(value.into()),
    i32 => |value| Self::Int(value.into()),
    i64 => |value| Self::Int(value.into()),
    u32 => |value| Self::Int(value.into()),
    u64 => |value| Self::Int(value.into()),
    usize => |value| Self::Int(value.into()),
    Int => |value| Self::Int(value),
    f32 => |value| Self::Float(value.into()),
    f64 => |value| Self::Float(value),
    &str => |value| Self::Text(value.to_owned()),
    String => |value| Self::Text(value),
    Vec<Value> => |value| Self::List(value),
    Set => |value| Self::Set(value),
    Dict => |value| Self::Dict(value),
    Object => |value| Self::Object(Box::new(value)),
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests;
