//! A dict: entries in order, found by key.

use std::fmt;
use std::hash::{Hash, Hasher};

use indexmap::IndexMap;

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
        self.0.get(&Value::from(key))
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

    /// The entries, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Value, &Value)> {
        self.0.iter()
    }
}

// By hand, as for sets: that of the map takes so much of the stack at each level that a deep value
// overflows a usual thread's.
impl Clone for Dict {
    fn clone(&self) -> Self {
        let mut entries = IndexMap::with_capacity(self.len());
        for (key, value) in self.iter() {
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
