//! From JSON text to a value.
//!
//! A parser of its own, since no crate gives what Python peers go by: the texts of Python's errors
//! with their positions, the last of equal keys at the place of the first, and the charge for memory
//! before it is taken. It keeps the containers that are still open in a `Vec`, so that depth costs no
//! stack.

use crate::codec::DecodeError;
use crate::value::{Dict, Value};

use super::{MAX_DEPTH, MAX_DIGITS};

/// What a list takes apart from its items: the allocator's own.
const LIST: usize = 16;
/// What a dict takes apart from its entries: the map and the smallest table of its indices.
const DICT: usize = 128;
/// What an entry takes apart from key and value: its hash and its place in the table.
const ENTRY: usize = 24;

/// The value that `text` spells, and how many bytes it takes in memory: at most `limit`.
pub(super) fn value(text: &str, limit: usize) -> Result<(Value, usize), DecodeError> {
    let mut reader = Reader { text, at: 0, limit, left: limit };
    if text.starts_with('\u{feff}') {
        return Err(reader.malformed("Unexpected UTF-8 BOM (decode using utf-8-sig)", 0));
    }
    reader.skip_space();
    let value = reader.value()?;
    reader.skip_space();
    match reader.peek() {
        None => Ok((value, limit - reader.left)),
        Some(_) => Err(reader.malformed("Extra data", reader.at)),
    }
}

struct Reader<'a> {
    text: &'a str,
    /// Always at the start of a character.
    at: usize,
    limit: usize,
    /// Of `limit`, what is not used up.
    left: usize,
}

/// A container that has not ended yet.
enum Open {
    List(Vec<Value>),
    /// And the key of the value that comes next.
    Dict(Dict, String),
}

/// What a value begins with.
enum Start {
    Whole(Value),
    /// The container has a first value.
    Open(Open),
}

impl Reader<'_> {
    fn value(&mut self) -> Result<Value, DecodeError> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            let mut value = match self.start(open.len())? {
                Start::Whole(value) => value,
                Start::Open(container) => {
                    open.push(container);
                    continue;
                }
            };
            // The value may be the last of its container, which may be the last of its own.
            loop {
                let Some(container) = open.pop() else {
                    return Ok(value);
                };
                match self.add(container, value)? {
                    Start::Whole(ended) => value = ended,
                    Start::Open(container) => {
                        open.push(container);
                        break;
                    }
                }
            }
        }
    }

    /// Reads a value, or of a container all in front of its first value.
    fn start(&mut self, above: usize) -> Result<Start, DecodeError> {
        self.charge(size_of::<Value>())?;
        let value = match self.peek() {
            Some(b'[') => return self.list(above),
            Some(b'{') => return self.dict(above),
            Some(b'"') => Value::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => self.word()?,
        };
        Ok(Start::Whole(value))
    }

    fn list(&mut self, above: usize) -> Result<Start, DecodeError> {
        if above == MAX_DEPTH {
            return Err(too_deep("array"));
        }
        self.at += 1;
        self.skip_space();
        if self.take(b']') {
            return Ok(Start::Whole(Value::List(Vec::new())));
        }
        self.charge(LIST)?;
        Ok(Start::Open(Open::List(Vec::new())))
    }

    fn dict(&mut self, above: usize) -> Result<Start, DecodeError> {
        if above == MAX_DEPTH {
            return Err(too_deep("object"));
        }
        self.charge(DICT)?;
        self.at += 1;
        self.skip_space();
        if self.take(b'}') {
            return Ok(Start::Whole(Value::Dict(Dict::new())));
        }
        let key = self.key()?;
        Ok(Start::Open(Open::Dict(Dict::new(), key)))
    }

    /// Puts a value into its container and reads on to the next value or to the end.
    fn add(&mut self, container: Open, value: Value) -> Result<Start, DecodeError> {
        self.skip_space();
        match container {
            Open::List(mut items) => {
                // From one on: `Vec` would begin with four, too much for many short lists.
                if items.len() == items.capacity() {
                    items.reserve_exact(items.len().max(1));
                }
                items.push(value);
                if self.take(b']') {
                    items.shrink_to_fit();
                    return Ok(Start::Whole(Value::List(items)));
                }
                self.comma()?;
                Ok(Start::Open(Open::List(items)))
            }
            Open::Dict(mut dict, key) => {
                dict.insert(key, value);
                if self.take(b'}') {
                    dict.shrink_to_fit();
                    return Ok(Start::Whole(Value::Dict(dict)));
                }
                self.comma()?;
                let key = self.key()?;
                Ok(Start::Open(Open::Dict(dict, key)))
            }
        }
    }

    fn comma(&mut self) -> Result<(), DecodeError> {
        if !self.take(b',') {
            return Err(self.malformed("Expecting ',' delimiter", self.at));
        }
        self.skip_space();
        Ok(())
    }

    /// A key and all up to its value.
    fn key(&mut self) -> Result<String, DecodeError> {
        if self.peek() != Some(b'"') {
            let text = "Expecting property name enclosed in double quotes";
            return Err(self.malformed(text, self.at));
        }
        self.charge(size_of::<Value>() + ENTRY)?;
        let key = self.string()?;
        self.skip_space();
        if !self.take(b':') {
            return Err(self.malformed("Expecting ':' delimiter", self.at));
        }
        self.skip_space();
        Ok(key)
    }

    fn word(&mut self) -> Result<Value, DecodeError> {
        const WORDS: [(&str, Value); 6] = [
            ("null", Value::Null),
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("NaN", Value::Float(f64::NAN)),
            ("Infinity", Value::Float(f64::INFINITY)),
            ("-Infinity", Value::Float(f64::NEG_INFINITY)),
        ];
        let rest = &self.text[self.at..];
        match WORDS.into_iter().find(|(word, _)| rest.starts_with(word)) {
            Some((word, value)) => {
                self.at += word.len();
                Ok(value)
            }
            None => Err(self.malformed("Expecting value", self.at)),
        }
    }

    fn number(&mut self) -> Result<Value, DecodeError> {
        let bytes = &self.text.as_bytes()[self.at..];
        let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        let sign = usize::from(bytes[0] == b'-');
        let whole = match bytes.get(sign) {
            Some(b'0') => 1,
            Some(b'1'..=b'9') => digits(sign),
            _ => return self.word(),
        };
        let int_end = sign + whole;
        let mut end = int_end;
        if bytes.get(end) == Some(&b'.') {
            let fraction = digits(end + 1);
            end += if fraction == 0 { 0 } else { 1 + fraction };
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits(end + 1 + sign);
            end += if exponent == 0 { 0 } else { 1 + sign + exponent };
        }
        let text = &self.text[self.at..self.at + end];
        if end > int_end {
            let float = text.parse().map_err(|_| self.malformed("Expecting value", self.at))?;
            self.at += end;
            return Ok(Value::Float(float));
        }
        if whole > MAX_DIGITS {
            let text = format!(
                "Exceeds the limit ({MAX_DIGITS} digits) for integer string conversion: value has \
                 {whole} digits"
            );
            return Err(DecodeError::named("ValueError", text));
        }
        let value = match text.parse::<i64>() {
            Ok(int) => Value::from(int),
            Err(_) => {
                self.charge(whole)?;
                let int = text.parse().map_err(|_| self.malformed("Expecting value", self.at))?;
                Value::Int(int)
            }
        };
        self.at += end;
        Ok(value)
    }

    /// A string, quotes and escapes resolved.
    fn string(&mut self) -> Result<String, DecodeError> {
        let start = self.at;
        self.at += 1;
        let mut string = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.bytes().position(|byte| byte < b' ' || matches!(byte, b'"' | b'\\'));
            let Some(len) = plain else {
                return Err(self.malformed("Unterminated string starting at", start));
            };
            self.charge(len)?;
            string.push_str(&rest[..len]);
            self.at += len;
            match rest.as_bytes()[len] {
                b'"' => {
                    self.at += 1;
                    string.shrink_to_fit();
                    return Ok(string);
                }
                b'\\' => string.push(self.escape(start)?),
                _ => return Err(self.malformed("Invalid control character at", self.at)),
            }
        }
    }

    /// The character that an escape in the string from `start` on stands for.
    fn escape(&mut self, start: usize) -> Result<char, DecodeError> {
        let at = self.at;
        self.charge(1)?;
        let char = match self.text.as_bytes().get(at + 1) {
            None => return Err(self.malformed("Unterminated string starting at", start)),
            Some(b'u') => return self.unicode(),
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(_) => return Err(self.malformed("Invalid \\escape", at)),
        };
        self.at += 2;
        Ok(char)
    }

    /// `\uXXXX`, or two of them for a character beyond the basic plane.
    fn unicode(&mut self) -> Result<char, DecodeError> {
        self.charge(3)?;
        let at = self.at;
        let Some(high) = self.code_unit(at) else {
            return Err(self.malformed("Invalid \\uXXXX escape", at + 1));
        };
        self.at += 6;
        if let Some(char) = char::from_u32(high.into()) {
            return Ok(char);
        }
        let low = self.code_unit(self.at);
        match low.map(|low| char::decode_utf16([high, low]).next()) {
            Some(Some(Ok(char))) => {
                self.at += 6;
                Ok(char)
            }
            _ => Err(self.malformed("Lone surrogate in \\uXXXX escape", at + 1)),
        }
    }

    /// The number in the escape `\uXXXX` at `at`, if there is one. As in Python it is not the end of
    /// the text.
    fn code_unit(&self, at: usize) -> Option<u16> {
        self.text.as_bytes().get(at + 6)?;
        let digits = self.text.get(at..at + 6)?.strip_prefix("\\u")?;
        // The sign that `from_str_radix` would take is no digit.
        let digits = Some(digits).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        u16::from_str_radix(digits, 16).ok()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Counts memory that a value is about to take.
    fn charge(&mut self, bytes: usize) -> Result<(), DecodeError> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(DecodeError::too_large(self.limit)),
        }
    }

    /// Worded as Python does; positions count characters.
    fn malformed(&self, text: &str, at: usize) -> DecodeError {
        let before = &self.text[..at];
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before[line_start..].chars().count() + 1;
        let char = before.chars().count();
        let text = format!("{text}: line {line} column {column} (char {char})");
        DecodeError::named("JSONDecodeError", text)
    }
}

fn too_deep(kind: &str) -> DecodeError {
    let text = format!("maximum recursion depth exceeded while decoding a JSON {kind}");
    DecodeError::named("RecursionError", text)
}
