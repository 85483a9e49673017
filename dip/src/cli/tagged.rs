//! Values as the conformance kit of the Python package writes them down: JSON, with
//! `{"$type": …}` where JSON falls short.

use std::fmt;

use serde_json::{Map, Value as Json};

use super::hex::{hex, unhex};
use crate::value::{Dict, Int, MAX_DEPTH, Set, Value, cut, float};

/// The largest integer that stands for itself; beyond, some readers of JSON lose digits.
const MAX_PLAIN_INT: u64 = (1 << 53) - 1;
/// How many bits an integer may have to be written in decimal digits.
const MAX_DECIMAL_BITS: u64 = 4096;
/// How many containers of one element may stand inside each other before they are counted instead.
const MAX_PLAIN_DEPTH: usize = 40;

/// The tagged form of `value`.
pub fn to_tagged(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(bool) => Json::Bool(*bool),
        Value::Int(int) => tagged_int(int),
        Value::Float(float) => tagged_float(*float),
        Value::Text(text) => Json::String(text.clone()),
        Value::Bytes(bytes) => tag("bytes", [("hex", hex(bytes).into())]),
        Value::Bytearray(bytes) => tag("bytearray", [("hex", hex(bytes).into())]),
        Value::List(items) => tagged_list(value, items),
        Value::Tuple(items) => tag("tuple", [("items", tagged_items(items).into())]),
        Value::Set(set) => tag("set", [("items", sorted(set).into())]),
        Value::Frozenset(set) => tag("frozenset", [("items", sorted(set).into())]),
        Value::Dict(dict) => tagged_dict(value, dict),
        Value::Object(object) => tag("opaque", [("class", object.class.clone().into())]),
    }
}

fn tag<const N: usize>(kind: &str, fields: [(&str, Json); N]) -> Json {
    let fields = fields.into_iter().chain([("$type", kind.into())]);
    Json::Object(fields.map(|(field, value)| (field.to_owned(), value)).collect())
}

fn tagged_int(int: &Int) -> Json {
    match int.as_i64() {
        Some(small) if small.unsigned_abs() <= MAX_PLAIN_INT => Json::from(small),
        _ if int.bits() <= MAX_DECIMAL_BITS => tag("int", [("dec", int.to_string().into())]),
        _ => tag("int", [("hex", format!("{int:#x}").into())]),
    }
}

fn tagged_float(float: f64) -> Json {
    let repr = float::repr(float);
    if float.is_nan() {
        return tag("float", [("repr", repr.into())]);
    }
    tag("float", [("repr", repr.into()), ("bits", format!("{:016x}", float.to_bits()).into())])
}

fn tagged_list(value: &Value, items: &[Value]) -> Json {
    let (mut depth, mut leaf) = (0, value);
    while let Value::List(items) = leaf
        && let [item] = &items[..]
    {
        (depth, leaf) = (depth + 1, item);
    }
    if depth > MAX_PLAIN_DEPTH {
        return tag("nested_list", [("depth", depth.into()), ("leaf", to_tagged(leaf))]);
    }
    Json::Array(tagged_items(items))
}

fn tagged_dict(value: &Value, dict: &Dict) -> Json {
    if let Some((key, _)) = dict.iter().next() {
        let (mut depth, mut leaf) = (0, value);
        while let Value::Dict(dict) = leaf
            && dict.len() == 1
            && let Some(inner) = dict.get_key(key)
        {
            (depth, leaf) = (depth + 1, inner);
        }
        if depth > MAX_PLAIN_DEPTH {
            let mut nested =
                tag("nested_dict", [("depth", depth.into()), ("leaf", to_tagged(leaf))]);
            if !key.is_null() {
                nested["key"] = to_tagged(key);
            }
            return nested;
        }
    }
    match plain_entries(dict) {
        Some(entries) => Json::Object(entries),
        None => {
            let items =
                dict.iter().map(|(key, value)| Json::from([to_tagged(key), to_tagged(value)]));
            tag("dict", [("items", items.collect())])
        }
    }
}

/// The entries as those of a JSON object, if their keys are sorted text that looks like no tag.
fn plain_entries(dict: &Dict) -> Option<Map<String, Json>> {
    let keys = dict.iter().map(|(key, _)| key.as_str().filter(|key| !key.starts_with('$')));
    let keys = keys.collect::<Option<Vec<_>>>()?;
    keys.is_sorted().then(|| {
        let values = dict.iter().map(|(_, value)| to_tagged(value));
        keys.into_iter().map(str::to_owned).zip(values).collect()
    })
}

fn tagged_items(items: &[Value]) -> Vec<Json> {
    items.iter().map(to_tagged).collect()
}

fn sorted(set: &Set) -> Vec<Json> {
    let mut items: Vec<_> = set.iter().map(to_tagged).collect();
    items.sort_by_cached_key(ascii);
    items
}

/// The text by which the kit sorts: all but printable ASCII is escaped.
fn ascii(json: &Json) -> String {
    let mut ascii = String::new();
    for char in json.to_string().chars() {
        if matches!(char, ' '..='~') {
            ascii.push(char);
        } else {
            for unit in char.encode_utf16(&mut [0; 2]) {
                ascii.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    ascii
}

/// Why a JSON value is no tagged value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotTagged(String);

impl fmt::Display for NotTagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotTagged {}

/// The value that `json`, as dip's own codec reads it, is the tagged form of.
///
/// # Errors
///
/// When the tag is malformed, and when it is of a kind that [`Value`] does not have, such as `uuid`
/// or text with lone surrogates; and when the value is nested deeper than 1000 levels.
pub fn from_tagged(json: &Value) -> Result<Value, NotTagged> {
    let value = read(json)?;
    if value.deeper_than(MAX_DEPTH) {
        return Err(NotTagged(format!("nested deeper than {MAX_DEPTH} levels")));
    }
    Ok(value)
}

fn read(json: &Value) -> Result<Value, NotTagged> {
    match json {
        Value::List(items) => untag_items(items).map(Value::List),
        Value::Dict(dict) => match dict.get("$type") {
            None => untag_entries(dict).map(Value::Dict),
            Some(Value::Text(kind)) => Tag { kind, dict }.read(),
            Some(_) => Err(NotTagged("the $type is no text".to_owned())),
        },
        plain => Ok(plain.clone()),
    }
}

fn untag_entries(dict: &Dict) -> Result<Dict, NotTagged> {
    dict.iter().map(|(key, value)| Ok((key.clone(), read(value)?))).collect()
}

fn untag_items<C: FromIterator<Value>>(items: &[Value]) -> Result<C, NotTagged> {
    items.iter().map(read).collect()
}

/// An object with a `$type`.
struct Tag<'a> {
    kind: &'a str,
    dict: &'a Dict,
}

impl Tag<'_> {
    fn read(&self) -> Result<Value, NotTagged> {
        Ok(match self.kind {
            "int" => Value::Int(self.int()?),
            "float" => Value::Float(self.float()?),
            "str" => Value::Text(
                String::from_utf8(self.bytes("surrogatepass_hex")?)
                    .map_err(|_| self.malformed("surrogatepass_hex"))?,
            ),
            "bytes" => Value::Bytes(self.bytes("hex")?),
            "bytearray" => Value::Bytearray(self.bytes("hex")?),
            "tuple" => Value::Tuple(untag_items(self.items()?)?),
            "set" => Value::Set(untag_items(self.items()?)?),
            "frozenset" => Value::Frozenset(untag_items(self.items()?)?),
            "dict" => Value::Dict(self.entries()?),
            "nested_list" => self.nested(|value| Value::List(vec![value]))?,
            "nested_dict" => {
                let key = self.dict.get("key").map_or(Ok(Value::Null), read)?;
                self.nested(|value| Dict::from_iter([(key.clone(), value)]).into())?
            }
            kind => return Err(NotTagged(format!("no value is of the $type {}", cut(kind, 64)))),
        })
    }

    fn int(&self) -> Result<Int, NotTagged> {
        if let Ok(digits) = self.text("dec") {
            return digits.parse().map_err(|_| self.malformed("dec"));
        }
        let (sign, digits) = match self.text("hex")?.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", self.text("hex")?),
        };
        let digits = digits.strip_prefix("0x").unwrap_or(digits);
        Int::from_str_radix(&format!("{sign}{digits}"), 16).ok_or_else(|| self.malformed("hex"))
    }

    fn float(&self) -> Result<f64, NotTagged> {
        if self.dict.get("bits").is_some() {
            let bits = self.bytes("bits")?.try_into().map_err(|_| self.malformed("bits"))?;
            return Ok(f64::from_be_bytes(bits));
        }
        self.text("repr")?.parse().map_err(|_| self.malformed("repr"))
    }

    fn entries(&self) -> Result<Dict, NotTagged> {
        let entries = self.items()?.iter().map(|pair| match pair.as_list() {
            Some([key, value]) => Ok((read(key)?, read(value)?)),
            _ => Err(self.malformed("items")),
        });
        entries.collect()
    }

    fn nested(&self, wrap: impl Fn(Value) -> Value) -> Result<Value, NotTagged> {
        let depth = self.dict.get("depth").and_then(Value::as_u64);
        let depth = depth.and_then(|depth| usize::try_from(depth).ok());
        let leaf = read(self.dict.get("leaf").ok_or_else(|| self.malformed("leaf"))?)?;
        // What is deeper in total could not be dropped again.
        let depth = depth.filter(|&depth| depth <= MAX_DEPTH);
        let depth = depth.filter(|&depth| !leaf.deeper_than(MAX_DEPTH - depth));
        let depth = depth.ok_or_else(|| self.malformed("depth"))?;
        Ok((0..depth).fold(leaf, |value, _| wrap(value)))
    }

    fn items(&self) -> Result<&[Value], NotTagged> {
        self.dict.get("items").and_then(Value::as_list).ok_or_else(|| self.malformed("items"))
    }

    fn bytes(&self, field: &str) -> Result<Vec<u8>, NotTagged> {
        unhex(self.text(field)?.as_bytes()).ok_or_else(|| self.malformed(field))
    }

    fn text(&self, field: &str) -> Result<&str, NotTagged> {
        self.dict.get(field).and_then(Value::as_str).ok_or_else(|| self.malformed(field))
    }

    fn malformed(&self, field: &str) -> NotTagged {
        NotTagged(format!("the {field} of the $type {} is missing or malformed", self.kind))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tagged(value: impl Into<Value>) -> Json {
        let value = value.into();
        let tagged = to_tagged(&value);
        assert_eq!(from_tagged(&tagged.clone().into()).unwrap(), value);
        tagged
    }

    #[test]
    fn what_json_has_stands_for_itself() {
        assert_eq!(tagged(Value::Null), json!(null));
        assert_eq!(tagged((1_i64 << 53) - 1), json!(9_007_199_254_740_991_i64));
        assert_eq!(tagged(Dict::from_iter([("a", 1), ("b", 2)])), json!({"a": 1, "b": 2}));
    }

    #[test]
    fn numbers_are_tagged_where_readers_of_json_lose_digits() {
        assert_eq!(tagged(1_i64 << 53), json!({"$type": "int", "dec": "9007199254740992"}));
        let huge = Int::from_str_radix(&format!("-{}", "f".repeat(1025)), 16).unwrap();
        let hex = format!("-0x{}", "f".repeat(1025));
        assert_eq!(tagged(huge), json!({"$type": "int", "hex": hex}));
        assert_eq!(
            tagged(1e16),
            json!({"$type": "float", "repr": "1e+16", "bits": "4341c37937e08000"})
        );
        assert_eq!(tagged(f64::NAN), json!({"$type": "float", "repr": "nan"}));
    }

    #[test]
    fn dicts_are_tagged_unless_their_keys_are_sorted_plain_text() {
        assert_eq!(
            tagged(Dict::from_iter([("b", 1), ("a", 2)])),
            json!({"$type": "dict", "items": [["b", 1], ["a", 2]]})
        );
        assert_eq!(
            tagged(Dict::from_iter([("$a", 1)])),
            json!({"$type": "dict", "items": [["$a", 1]]})
        );
        assert_eq!(tagged(Dict::from_iter([(1, 1)])), json!({"$type": "dict", "items": [[1, 1]]}));
    }

    #[test]
    fn items_of_sets_are_sorted_by_their_ascii_text() {
        let set = Set::from_iter(["z", "é", "\u{7f}", "\u{1f600}", "\n"]);
        assert_eq!(
            tagged(Value::Set(set))["items"],
            json!(["\n", "\u{7f}", "é", "\u{1f600}", "z"])
        );
    }

    #[test]
    fn long_chains_are_counted() {
        let list = (0..41).fold(Value::from("x"), |value, _| Value::List(vec![value]));
        assert_eq!(tagged(list), json!({"$type": "nested_list", "depth": 41, "leaf": "x"}));
        let dict = (0..41).fold(Value::from(1), |value, _| Dict::from_iter([("k", value)]).into());
        assert_eq!(
            tagged(dict),
            json!({"$type": "nested_dict", "depth": 41, "leaf": 1, "key": "k"})
        );
        assert_eq!(
            tagged((0..40).fold(Value::from(1), |value, _| Value::List(vec![value])))[0][0][0][0]
                [0],
            {
                let inner = (0..35).fold(Value::from(1), |value, _| Value::List(vec![value]));
                to_tagged(&inner)
            }
        );
    }

    #[test]
    fn chains_within_chains_count_together() {
        let chains = |outer: u32, inner: u32| {
            let leaf = json!({"$type": "nested_dict", "depth": inner, "leaf": []});
            from_tagged(&json!([{"$type": "nested_list", "depth": outer, "leaf": leaf}]).into())
        };
        assert!(!chains(499, 499).unwrap().deeper_than(1000));
        for (outer, inner) in [(499, 500), (1000, 1000), (1001, 0)] {
            chains(outer, inner).unwrap_err();
        }
    }

    #[test]
    fn other_tags_are_errors() {
        for json in [
            json!({"$type": "uuid", "hex": ""}),
            json!({"$type": "bytes", "hex": "abc"}),
            json!({"$type": "str", "surrogatepass_hex": "eda0bd"}),
            json!({"$type": "nested_list", "depth": 100_000, "leaf": 1}),
            json!({"$type": 1}),
        ] {
            from_tagged(&json.into()).unwrap_err();
        }
    }
}
