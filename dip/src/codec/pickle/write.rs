//! Values as pickles of protocol 5, without a memo: every value is written where it stands.

use crate::codec::{BodyMut, EncodeError};
use crate::value::{Int, Value};

use super::DEPTH;
use super::code::*;
use super::read::LONG_BYTES;

/// Appends `value` as a pickle that Python reads back as the same.
///
/// # Errors
///
/// When it holds an object (dip reads them, but does not write what Python would run), is nested
/// over 1000 levels, has an integer over 4 KiB, or a key or an item of a set that Python can't hash.
pub(crate) fn write(value: &Value, body: &mut BodyMut<'_>) -> Result<(), EncodeError> {
    body.extend_from_slice(&[PROTO, 5]);
    let mut path: Vec<Frame<'_>> = Vec::new();
    let mut next = Some((value, false));
    loop {
        if let Some((value, hashed)) = next.take() {
            if hashed {
                check_hashable(value)?;
            }
            if let Some(frame) = open(value, hashed, body)? {
                if path.len() == DEPTH {
                    return Err(EncodeError::named(
                        "RecursionError",
                        format!("nested deeper than {DEPTH} levels"),
                    ));
                }
                path.push(frame);
            }
        }
        let Some(frame) = path.last_mut() else { break };
        next = frame.next();
        if next.is_none() {
            body.extend_from_slice(frame.end);
            path.pop();
        }
    }
    body.extend_from_slice(&[STOP]);
    Ok(())
}

/// A container of which the beginning is written.
struct Frame<'a> {
    children: Box<dyn Iterator<Item = (&'a Value, bool)> + 'a>,
    /// What is written behind the children.
    end: &'static [u8],
}

impl<'a> Frame<'a> {
    /// The next value in the container, and whether Python would hash it.
    fn next(&mut self) -> Option<(&'a Value, bool)> {
        self.children.next()
    }

    fn new(
        values: impl Iterator<Item = &'a Value> + 'a,
        hashed: bool,
        end: &'static [u8],
    ) -> Option<Self> {
        Some(Self { children: Box::new(values.map(move |value| (value, hashed))), end })
    }
}

/// Writes a leaf, or begins a container.
fn open<'a>(
    value: &'a Value,
    hashed: bool,
    body: &mut BodyMut<'_>,
) -> Result<Option<Frame<'a>>, EncodeError> {
    match value {
        Value::Null => body.extend_from_slice(&[NONE]),
        Value::Bool(true) => body.extend_from_slice(&[NEWTRUE]),
        Value::Bool(false) => body.extend_from_slice(&[NEWFALSE]),
        Value::Int(int) => write_int(int, body)?,
        Value::Float(float) => {
            body.extend_from_slice(&[BINFLOAT]);
            body.extend_from_slice(&float.to_be_bytes());
        }
        Value::Text(text) => {
            sized(&[SHORT_BINUNICODE, BINUNICODE, BINUNICODE8], text.as_bytes(), body);
        }
        Value::Bytes(bytes) => sized(&[SHORT_BINBYTES, BINBYTES, BINBYTES8], bytes, body),
        Value::Bytearray(bytes) => {
            body.extend_from_slice(&[BYTEARRAY8]);
            body.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            body.extend_from_slice(bytes);
        }
        Value::List(items) => {
            body.extend_from_slice(&[EMPTY_LIST, MARK]);
            return Ok(Frame::new(items.iter(), false, &[APPENDS]));
        }
        Value::Tuple(items) => {
            let end: &[u8] = match items.len() {
                0 => &[EMPTY_TUPLE],
                1 => &[TUPLE1],
                2 => &[TUPLE2],
                3 => &[TUPLE3],
                _ => {
                    body.extend_from_slice(&[MARK]);
                    &[TUPLE]
                }
            };
            return Ok(Frame::new(items.iter(), hashed, end));
        }
        Value::Set(set) => {
            body.extend_from_slice(&[EMPTY_SET, MARK]);
            return Ok(Frame::new(set.iter(), true, &[ADDITEMS]));
        }
        Value::Frozenset(set) => {
            body.extend_from_slice(&[MARK]);
            return Ok(Frame::new(set.iter(), true, &[FROZENSET]));
        }
        Value::Dict(dict) => {
            body.extend_from_slice(&[EMPTY_DICT, MARK]);
            let children = dict.iter().flat_map(|(key, value)| [(key, true), (value, false)]);
            return Ok(Some(Frame { children: Box::new(children), end: &[SETITEMS] }));
        }
        Value::Object(_) => {
            return Err(EncodeError::named(
                "PicklingError",
                "inert objects are only read: dip does not write pickles that make Python call \
                 something",
            ));
        }
    }
    Ok(None)
}

fn write_int(int: &Int, body: &mut BodyMut<'_>) -> Result<(), EncodeError> {
    if let Ok(byte) = u8::try_from(int) {
        body.extend_from_slice(&[BININT1, byte]);
    } else if let Ok(int) = u16::try_from(int) {
        body.extend_from_slice(&[BININT2]);
        body.extend_from_slice(&int.to_le_bytes());
    } else if let Ok(int) = i32::try_from(int) {
        body.extend_from_slice(&[BININT]);
        body.extend_from_slice(&int.to_le_bytes());
    } else {
        let bytes = int.to_signed_bytes_le();
        if bytes.len() > LONG_BYTES {
            let text = format!("an integer of {} bytes, the limit is {LONG_BYTES}", bytes.len());
            return Err(EncodeError::named("ValueError", text));
        }
        if let Ok(len) = u8::try_from(bytes.len()) {
            body.extend_from_slice(&[LONG1, len]);
        } else {
            let len = i32::try_from(bytes.len())
                .map_err(|_| EncodeError::named("OverflowError", "int too large to pickle"))?;
            body.extend_from_slice(&[LONG4]);
            body.extend_from_slice(&len.to_le_bytes());
        }
        body.extend_from_slice(&bytes);
    }
    Ok(())
}

/// Writes bytes behind the shortest length that says theirs: of one, four or eight bytes.
fn sized([short, long, huge]: &[u8; 3], bytes: &[u8], body: &mut BodyMut<'_>) {
    if let Ok(len) = u8::try_from(bytes.len()) {
        body.extend_from_slice(&[*short, len]);
    } else if let Ok(len) = u32::try_from(bytes.len()) {
        body.extend_from_slice(&[*long]);
        body.extend_from_slice(&len.to_le_bytes());
    } else {
        body.extend_from_slice(&[*huge]);
        body.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    }
    body.extend_from_slice(bytes);
}

fn check_hashable(value: &Value) -> Result<(), EncodeError> {
    let kind = match value {
        Value::List(_) => "list",
        Value::Dict(_) => "dict",
        Value::Set(_) => "set",
        Value::Bytearray(_) => "bytearray",
        _ => return Ok(()),
    };
    Err(EncodeError::named("TypeError", format!("unhashable type: '{kind}'")))
}
