//! Between [`Value`] and the value type of `serde_json`.

use std::fmt;

use serde_json::{Map, Number};

use super::{Dict, Int, MAX_DEPTH, Value, cut};

/// What JSON has no way to say, where a [`Value`] was to become JSON.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum NotJson {
    /// A float that is `NaN` or infinite.
    Float(f64),
    /// An integer beyond 64 bits, which `serde_json` holds as a float only.
    Int,
    /// A value of a kind that JSON does not have, by its Python name: `bytes`, `set`.
    Kind(String),
    /// A key that is not text, by the Python name of its kind.
    Key(String),
    /// Nested deeper than 1000 levels.
    Depth,
}

impl fmt::Display for NotJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Float(float) => write!(f, "JSON has no {float}"),
            Self::Int => f.write_str("an integer beyond 64 bits is no JSON number of serde_json"),
            Self::Kind(kind) => write!(f, "JSON has no {kind}"),
            Self::Key(kind) => write!(f, "keys of JSON are text, not {kind}"),
            Self::Depth => write!(f, "nested deeper than {MAX_DEPTH} levels"),
        }
    }
}

impl std::error::Error for NotJson {}

impl NotJson {
    /// `value` is of a kind that JSON does not have.
    pub(super) fn kind(value: &Value) -> Self {
        Self::Kind(cut(value.kind(), 64))
    }

    /// `key` is not text.
    pub(super) fn key(key: &Value) -> Self {
        Self::Key(cut(key.kind(), 64))
    }
}

/// Tuples become arrays; anything else that JSON cannot say is an error.
impl TryFrom<Value> for serde_json::Value {
    type Error = NotJson;

    fn try_from(value: Value) -> Result<Self, NotJson> {
        if value.deeper_than(MAX_DEPTH) {
            return Err(NotJson::Depth);
        }
        convert(value)
    }
}

// What recurses is small functions with loops: at each level everything else would take of the stack.
fn convert(value: Value) -> Result<serde_json::Value, NotJson> {
    match value {
        Value::List(items) | Value::Tuple(items) => array(items),
        Value::Dict(dict) => object(dict),
        value => leaf(value),
    }
}

fn leaf(value: Value) -> Result<serde_json::Value, NotJson> {
    Ok(match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(bool) => bool.into(),
        Value::Int(int) => number(&int)?,
        Value::Float(float) => {
            Number::from_f64(float).ok_or(NotJson::Float(float)).map(serde_json::Value::Number)?
        }
        Value::Text(text) => text.into(),
        value => return Err(NotJson::kind(&value)),
    })
}

fn number(int: &Int) -> Result<serde_json::Value, NotJson> {
    match (i64::try_from(int), u64::try_from(int)) {
        (Ok(int), _) => Ok(int.into()),
        (_, Ok(int)) => Ok(int.into()),
        _ => Err(NotJson::Int),
    }
}

fn array(items: Vec<Value>) -> Result<serde_json::Value, NotJson> {
    let mut array = Vec::with_capacity(items.len());
    for item in items {
        array.push(convert(item)?);
    }
    Ok(serde_json::Value::Array(array))
}

fn object(dict: Dict) -> Result<serde_json::Value, NotJson> {
    let mut map = Map::new();
    for (key, value) in dict {
        match key {
            Value::Text(key) => map.insert(key, convert(value)?),
            key => return Err(NotJson::key(&key)),
        };
    }
    Ok(serde_json::Value::Object(map))
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(bool) => Self::Bool(bool),
            serde_json::Value::Number(number) => from_number(&number),
            serde_json::Value::String(text) => Self::Text(text),
            serde_json::Value::Array(items) => from_array(items),
            serde_json::Value::Object(map) => from_object(map),
        }
    }
}

fn from_array(items: Vec<serde_json::Value>) -> Value {
    let mut list = Vec::with_capacity(items.len());
    for item in items {
        list.push(Value::from(item));
    }
    Value::List(list)
}

fn from_object(map: Map<String, serde_json::Value>) -> Value {
    let mut dict = Dict::new();
    for (key, value) in map {
        dict.insert(key, Value::from(value));
    }
    Value::Dict(dict)
}

fn from_number(number: &Number) -> Value {
    if let Some(int) = number.as_i64() {
        return Value::from(int);
    }
    if let Some(int) = number.as_u64() {
        return Value::from(int);
    }
    // The user's program may have switched `arbitrary_precision` on.
    let text = number.to_string();
    match text.parse::<Int>() {
        Ok(int) => Value::Int(int),
        Err(_) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
    }
}
