//! Built-in messages whose type is only known at run time.

use super::{Dict, Header, SubtaskError, SubtaskOut};
use crate::codec::{self, BodyMut, EncodeError, fields, list};
use crate::mtype::Mtype;
use crate::value::{Value, cut};
use crate::wire::classic::Quoted;

/// How many characters of a field's name an error quotes.
const QUOTED: usize = 64;

/// Appends the body that the Python package writes when it is given `value` for a built-in message.
///
/// What a struct cannot say is kept: the fields of `D`, `H`, `o` and `e` are written in the order of
/// the dict. `U` and `I` take whatever Python can iterate: of a dict its keys, of a text its
/// characters.
///
/// ```
/// use dip::builtin::encode;
/// use dip::codec::BodyMut;
/// use dip::{Mtype, value::{Dict, Value}};
///
/// let fields = Value::from(Dict::from_iter([("subtask_out", "a"), ("arg", "b")]));
/// let mut body = Vec::new();
/// encode(Mtype::byte(b'o'), &fields, &mut BodyMut::new(&mut body, 100)).unwrap();
/// assert_eq!(body, b"\0\x01\0\0\0\x01a\0\0\0\0\0\x01b");
/// ```
///
/// # Errors
///
/// When the message cannot hold the value, with the class that Python raises; a connection id
/// (`0x1d`) is no [`Value`] at all. When no built-in message has this mtype.
pub fn encode(mtype: Mtype, value: &Value, body: &mut BodyMut<'_>) -> Result<(), EncodeError> {
    match mtype.as_byte() {
        Some(b'O' | b'E') => {
            body.extend_from_slice(text(value)?.as_bytes());
            Ok(())
        }
        Some(b'P') => codec::pickle::encode(value, body),
        Some(b'J') => codec::json::write(value, body),
        Some(b'D') => encode_fields(Dict::FIELDS, value, body),
        Some(b'H') => encode_fields(Header::FIELDS, value, body),
        Some(b'o') => encode_fields(SubtaskOut::FIELDS, value, body),
        Some(b'e') => encode_fields(SubtaskError::FIELDS, value, body),
        Some(b'U' | b'I') => {
            list::encode_elements(b'J', &elements(value)?, codec::json::write, body)
        }
        Some(0x1d) => Err(not("a UUID", value)),
        _ => Err(EncodeError::new(format!("no built-in message has the type {mtype}"))),
    }
}

fn encode_fields(names: &[&str], value: &Value, body: &mut BodyMut<'_>) -> Result<(), EncodeError> {
    for (key, value) in value.as_dict().ok_or_else(|| not("a dict", value))? {
        let index = key.as_str().and_then(|key| names.iter().position(|name| *name == key));
        let index = index.ok_or_else(|| unregistered(key, names))?;
        fields::encode_field(index, text(value)?, body)?;
    }
    Ok(())
}

fn elements(value: &Value) -> Result<Vec<Value>, EncodeError> {
    Ok(match value {
        Value::List(items) | Value::Tuple(items) => items.clone(),
        Value::Set(set) | Value::Frozenset(set) => set.iter().cloned().collect(),
        Value::Dict(dict) => dict.iter().map(|(key, _)| key.clone()).collect(),
        Value::Text(text) => text.chars().map(|char| Value::Text(char.into())).collect(),
        Value::Bytes(bytes) | Value::Bytearray(bytes) => {
            bytes.iter().map(|&byte| Value::from(u32::from(byte))).collect()
        }
        value => {
            let text = format!("'{}' object is not iterable", value.kind());
            return Err(EncodeError::named("TypeError", text));
        }
    })
}

fn text(value: &Value) -> Result<&str, EncodeError> {
    value.as_str().ok_or_else(|| not("a text", value))
}

/// The class is the one of a method that Python looks for in vain.
fn not(expected: &str, value: &Value) -> EncodeError {
    let text = format!("expected {expected}, got {}", value.kind());
    EncodeError::named("AttributeError", text)
}

/// Worded as the package does.
fn unregistered(key: &Value, names: &[&str]) -> EncodeError {
    let key = match key {
        Value::Text(name) => Quoted(&cut(name, QUOTED)).to_string(),
        Value::Int(int) if int.bits() <= 64 => int.to_string(),
        key => key.kind().to_owned(),
    };
    let valid = match names {
        [name] => format!("('{name}',)"),
        [] => "()".to_owned(),
        names => format!("('{}')", names.join("', '")),
    };
    EncodeError::new(format!("Field {key} has not been registered, valid fields are {valid}"))
}
