//! What a value holds, asked for by kind.

use super::{Dict, Object, Value};

impl Value {
    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(bool) => Some(*bool),
            _ => None,
        }
    }

    /// The integer, if it is one that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(int) => int.as_i64(),
            _ => None,
        }
    }

    /// The integer, if it is one that fits.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Int(int) => u64::try_from(int).ok(),
            _ => None,
        }
    }

    /// The float, if it is one, or the float closest to an integer.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Float(float) => Some(*float),
            Self::Int(int) => int.to_f64(),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes, if it is `bytes` or a `bytearray`.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) | Self::Bytearray(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The items, if it is a list or a tuple.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Self::List(items) | Self::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// The dict, if it is one.
    pub fn as_dict(&self) -> Option<&Dict> {
        match self {
            Self::Dict(dict) => Some(dict),
            _ => None,
        }
    }

    /// The value of a text key, if it is a dict that has it.
    ///
    /// ```
    /// use dip::value::{Dict, Value};
    ///
    /// let value = Value::from(Dict::from_iter([("done", 3)]));
    /// assert_eq!(value.get("done").and_then(Value::as_i64), Some(3));
    /// ```
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_dict()?.get(key)
    }

    /// The name of its Python type; for an object that of its class, without the module.
    pub(crate) fn kind(&self) -> &str {
        match self {
            Self::Null => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "str",
            Self::Bytes(_) => "bytes",
            Self::Bytearray(_) => "bytearray",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Set(_) => "set",
            Self::Frozenset(_) => "frozenset",
            Self::Dict(_) => "dict",
            Self::Object(object) => object.class.rsplit('.').next().unwrap_or_default(),
        }
    }

    /// Whether more than `limit` containers stand inside each other.
    pub(crate) fn deeper_than(&self, limit: usize) -> bool {
        any_deeper_than([self], limit)
    }

    fn is_container(&self) -> bool {
        match self {
            Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Float(_)
            | Self::Text(_)
            | Self::Bytes(_)
            | Self::Bytearray(_) => false,
            Self::List(_)
            | Self::Tuple(_)
            | Self::Set(_)
            | Self::Frozenset(_)
            | Self::Dict(_)
            | Self::Object(_) => true,
        }
    }

    fn for_each_part<'a>(&'a self, mut part: impl FnMut(&'a Self)) {
        match self {
            Self::List(items) | Self::Tuple(items) => items.iter().for_each(part),
            Self::Set(set) | Self::Frozenset(set) => set.iter().for_each(part),
            Self::Dict(dict) => dict.iter().for_each(|(key, value)| {
                part(key);
                part(value);
            }),
            Self::Object(object) => object.parts().for_each(part),
            _ => {}
        }
    }
}

impl Object {
    pub(super) fn parts(&self) -> impl Iterator<Item = &Value> {
        let entries = self.entries.iter().map(|(key, value)| (key, value));
        let entries = self.kwargs.iter().chain(entries).flat_map(|(key, value)| [key, value]);
        self.args.iter().chain(&self.state).chain(&self.items).chain(entries)
    }
}

/// Whether in any of `values` more than `limit` containers stand inside each other.
pub(super) fn any_deeper_than<'a>(
    values: impl IntoIterator<Item = &'a Value>,
    limit: usize,
) -> bool {
    let mut open: Vec<_> = values.into_iter().map(|value| (value, 0)).collect();
    while let Some((value, above)) = open.pop() {
        let depth = above + usize::from(value.is_container());
        if depth > limit {
            return true;
        }
        value.for_each_part(|part| {
            if part.is_container() {
                open.push((part, depth));
            }
        });
    }
    false
}
