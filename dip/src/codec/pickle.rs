//! Python's pickle, read and written as data.
//!
//! A pickle is a program: Python runs it, and a hostile one runs what it likes. Here nothing is
//! ever run or imported. All instructions of the protocols 0 to 5 that make plain data are read;
//! a class or function is either refused by name or, where
//! [`PicklePolicy::inert`](super::PicklePolicy::inert) allows it, becomes an inert
//! [`Object`](crate::value::Object).
//!
//! ```text
//! bytes ─ input, text ─▶ read: a stack machine over a graph of shared nodes ─ tree ─▶ Value
//! ```

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Body, BodyMut, Codec, DecodeError, DecodeLimits, EncodeError};
use crate::schema::{SchemaError, SchemaRecorder};
use crate::value::{from_value, to_value};

mod call;
mod class;
mod code;
mod container;
mod graph;
mod input;
mod memo;
mod object;
mod read;
mod stack;
mod text;
mod tree;
mod write;

pub(crate) use write::write as encode;

/// Python's pickle: protocols 0 to 5 are read, 5 is written; plain data only, and never executed.
///
/// Values are nested over 1000 levels neither when read nor when written, and integers have 4 KiB at
/// most, either way. A key counts as another only if its [`Value`](crate::Value) is: Python takes `1`, `1.0` and `True` for
/// the same key. Lone surrogates are no text, and refused.
///
/// ```
/// use dip::Value;
/// use dip::codec::{Body, BodyMut, Codec, DecodeLimits, Pickle};
///
/// let mut bytes = Vec::new();
/// Pickle::encode(&Value::from("hello"), &mut BodyMut::new(&mut bytes, 100)).unwrap();
/// assert_eq!(bytes, b"\x80\x05\x8c\x05hello.");
///
/// let limits = DecodeLimits::for_body(bytes.len());
/// let value: Value = Pickle::decode(Body::from(&bytes[..]), &limits).unwrap();
/// assert_eq!(value, Value::from("hello"));
///
/// let attack = Body::from(&b"cos\nsystem\n(S'reboot'\ntR."[..]);
/// let refused = <Pickle as Codec<Value>>::decode(attack, &limits).unwrap_err();
/// assert!(refused.text().starts_with("a pickled `os.system` is not plain data"));
/// ```
#[derive(Debug)]
pub enum Pickle {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Codec<T> for Pickle {
    fn encode(value: &T, body: &mut BodyMut<'_>) -> Result<(), EncodeError> {
        encode(&to_value(value)?, body)
    }

    fn decode(body: Body<'_>, limits: &DecodeLimits) -> Result<T, DecodeError> {
        from_value(read::read(&body, limits)?)
    }

    fn schema(record: &mut SchemaRecorder) -> Result<(), SchemaError> {
        record.name("pickle")?;
        record.names::<T>()
    }
}

/// Levels of nesting that are read and written; Python's own pickler stops near there.
const DEPTH: usize = 1000;

/// What Python calls a pickle that makes no sense.
fn invalid(text: impl Into<Cow<'static, str>>) -> DecodeError {
    DecodeError::named("UnpicklingError", text)
}

#[cfg(test)]
mod tests;
