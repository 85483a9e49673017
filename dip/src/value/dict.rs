//! A dict: entries in order, found by key.

use std::fmt;
use std::hash::{Hash, Hasher};

use indexmap::{Equivalent, IndexMap};

use super::Value;

/// The entries of a Python dict, in order. A later entry of the same key replaces the value at the
/// place of the first, as in Python.
// Boxed for the size of `Value`, of which there is one per node.
#[derive(Default, PartialEq, Eq)]
pub struct Dict(Box<IndexMap<Value, Value>>);

impl Dict {
    /// A dict without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of a text key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(&Text(key))
    }

    /// The value of a text key, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.0.get_mut(&Text(key))
    }

    /// Whether there is an entry of this text key.
    pub fn contains_key(&self, key: &str) -> bool {
        self.0.contains_key(&Text(key))
    }

    /// Takes the entry of a text key out and returns its value; the others keep their order.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.0.shift_remove(&Text(key))
    }

    /// The value of a key of any kind.
    pub fn get_key(&self, key: &Value) -> Option<&Value> {
        self.0.get(key)
    }

    /// Adds an entry, or replaces the value of an existing one and returns the old value.
    pub fn insert(&mut self, key: impl Into<Value>, value: impl Into<Value>) -> Option<Value> {
        self.0.insert(key.into(), value.into())
    }

    /// Gives back the memory that was reserved for more entries.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.0.shrink_to_fit();
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &Value> {
        self.0.keys()
    }

    /// The values, in the order of their keys.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &Value> {
        self.0.values()
    }

    /// The entries, in order.
    pub fn iter(&self) -> Iter<'_> {
        Iter(self.0.iter())
    }
}

/// A text key to look up, without a [`Value`] made of it.
struct Text<'a>(&'a str);

/// As that of [`Value::Text`].
impl Hash for Text<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(&Value::Text(String::new())).hash(state);
        self.0.hash(state);
    }
}

impl Equivalent<Value> for Text<'_> {
    fn equivalent(&self, key: &Value) -> bool {
        key.as_str() == Some(self.0)
    }
}

// By hand, as for sets: that of the map takes so much of the stack at each level that a deep value
// overflows a usual thread's.
impl Clone for Dict {
    fn clone(&self) -> Self {
        let mut entries = IndexMap::with_capacity(self.len());
        for (key, value) in self {
            entries.insert(key.clone(), value.clone());
        }
        Self(Box::new(entries))
    }
}

/// The same in any order, as equal dicts may differ in it.
impl Hash for Dict {
    fn hash<H: Hasher>(&self, state: &mut H) {
        super::hash_unordered(self.iter(), state);
    }
}

impl fmt::Debug for Dict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Into<Value>, V: Into<Value>> FromIterator<(K, V)> for Dict {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let entries = entries.into_iter().map(|(key, value)| (key.into(), value.into()));
        Self(Box::new(entries.collect()))
    }
}

impl<K: Into<Value>, V: Into<Value>> Extend<(K, V)> for Dict {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        self.0.extend(entries.into_iter().map(|(key, value)| (key.into(), value.into())));
    }
}

impl<'a> IntoIterator for &'a Dict {
    type Item = (&'a Value, &'a Value);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        Iter(self.0.iter())
    }
}

/// The entries of a borrowed [`Dict`], in order.
#[derive(Debug)]
pub struct Iter<'a>(indexmap::map::Iter<'a, Value, Value>);

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a Value, &'a Value);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl IntoIterator for Dict {
    type Item = (Value, Value);
    type IntoIter = IntoIter;

    fn into_iter(self) -> IntoIter {
        IntoIter(self.0.into_iter())
    }
}

/// The entries of a [`Dict`], in order.
#[derive(Debug)]
pub struct IntoIter(indexmap::map::IntoIter<Value, Value>);

impl Iterator for IntoIter {
    type Item = (Value, Value);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for IntoIter {}
