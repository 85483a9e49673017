//! From a value to JSON text.

use crate::codec::{BodyMut, EncodeError};
use crate::value::{Int, Value, cut, float};

use super::{MAX_DEPTH, MAX_DIGITS};

/// Appends the text of `value`.
pub(crate) fn value(value: &Value, body: &mut BodyMut<'_>) -> Result<(), EncodeError> {
    let mut writer = Writer { body };
    writer.value(value, 0)
}

struct Writer<'a, 'b> {
    body: &'a mut BodyMut<'b>,
}

impl Writer<'_, '_> {
    fn value(&mut self, value: &Value, above: usize) -> Result<(), EncodeError> {
        match value {
            Value::Null => self.put("null"),
            Value::Bool(true) => self.put("true"),
            Value::Bool(false) => self.put("false"),
            Value::Int(int) => self.put(&digits(int)?),
            Value::Float(float) => self.put(&number(*float)),
            Value::Text(text) => self.text(text),
            Value::List(items) | Value::Tuple(items) => return self.array(items, above),
            Value::Dict(dict) => return self.object(dict.iter(), above),
            Value::Bytes(_)
            | Value::Bytearray(_)
            | Value::Set(_)
            | Value::Frozenset(_)
            | Value::Object(_) => {
                let kind = cut(value.kind(), 64);
                let text = format!("Object of type {kind} is not JSON serializable");
                return Err(EncodeError::named("TypeError", text));
            }
        }
        Ok(())
    }

    fn array(&mut self, items: &[Value], above: usize) -> Result<(), EncodeError> {
        let depth = deeper(above)?;
        let mut before = "[";
        for item in items {
            self.put(before);
            self.value(item, depth)?;
            before = ", ";
        }
        self.put(if items.is_empty() { "[]" } else { "]" });
        Ok(())
    }

    fn object<'v>(
        &mut self,
        entries: impl ExactSizeIterator<Item = (&'v Value, &'v Value)>,
        above: usize,
    ) -> Result<(), EncodeError> {
        let depth = deeper(above)?;
        let empty = entries.len() == 0;
        let mut before = "{";
        for (key, value) in entries {
            self.put(before);
            self.key(key)?;
            self.put(": ");
            self.value(value, depth)?;
            before = ", ";
        }
        self.put(if empty { "{}" } else { "}" });
        Ok(())
    }

    /// A key is text, whatever it was.
    fn key(&mut self, key: &Value) -> Result<(), EncodeError> {
        match key {
            Value::Text(text) => self.text(text),
            Value::Null => self.put("\"null\""),
            Value::Bool(true) => self.put("\"true\""),
            Value::Bool(false) => self.put("\"false\""),
            Value::Int(int) => self.put(&format!("\"{}\"", digits(int)?)),
            Value::Float(float) => self.put(&format!("\"{}\"", number(*float))),
            key => {
                let kind = cut(key.kind(), 64);
                let text = format!("keys must be str, int, float, bool or None, not {kind}");
                return Err(EncodeError::named("TypeError", text));
            }
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        self.put("\"");
        let mut rest = text;
        while let Some(at) =
            rest.bytes().position(|byte| byte < b' ' || matches!(byte, b'"' | b'\\'))
        {
            self.put(&rest[..at]);
            match rest.as_bytes()[at] {
                b'"' => self.put("\\\""),
                b'\\' => self.put("\\\\"),
                b'\n' => self.put("\\n"),
                b'\r' => self.put("\\r"),
                b'\t' => self.put("\\t"),
                0x0c => self.put("\\f"),
                0x08 => self.put("\\b"),
                control => self.put(&format!("\\u{control:04x}")),
            }
            rest = &rest[at + 1..];
        }
        self.put(rest);
        self.put("\"");
    }

    fn put(&mut self, text: &str) {
        self.body.extend_from_slice(text.as_bytes());
    }
}

fn deeper(above: usize) -> Result<usize, EncodeError> {
    match above {
        MAX_DEPTH => {
            let text = format!("nested deeper than {MAX_DEPTH} levels, the most that JSON is read");
            Err(EncodeError::named("RecursionError", text))
        }
        above => Ok(above + 1),
    }
}

fn digits(int: &Int) -> Result<String, EncodeError> {
    // Below this the number of digits is certain, and spelling out more would take long.
    let digits = match int.bits() {
        ..14_288 => int.to_string(),
        _ => String::new(),
    };
    match digits.trim_start_matches('-').len() {
        1..=MAX_DIGITS => Ok(digits),
        _ => {
            let text =
                format!("Exceeds the limit ({MAX_DIGITS} digits) for integer string conversion");
            Err(EncodeError::named("ValueError", text))
        }
    }
}

fn number(number: f64) -> String {
    match number {
        _ if number.is_finite() => float::repr(number),
        _ if number.is_nan() => "NaN".to_owned(),
        _ if number > 0.0 => "Infinity".to_owned(),
        _ => "-Infinity".to_owned(),
    }
}
