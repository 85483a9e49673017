//! A set: each item once.

use std::fmt;
use std::hash::{Hash, Hasher};

use indexmap::IndexSet;

use super::Value;

/// The items of a Python set or frozenset, each once, in the order they arrived.
// Boxed for the size of `Value`, of which there is one per node.
#[derive(Default, PartialEq, Eq)]
pub struct Set(Box<IndexSet<Value>>);

impl Set {
    /// A set without items.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an item; `false` when it was there.
    pub fn insert(&mut self, item: impl Into<Value>) -> bool {
        self.0.insert(item.into())
    }

    /// Whether the item is there.
    pub fn contains(&self, item: &Value) -> bool {
        self.0.contains(item)
    }

    /// Takes an item out; `false` when it was not there. The others keep their order.
    pub fn remove(&mut self, item: &Value) -> bool {
        self.0.shift_remove(item)
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The items.
    pub fn iter(&self) -> Iter<'_> {
        Iter(self.0.iter())
    }
}

// By hand for the sake of the stack, as for dicts.
impl Clone for Set {
    fn clone(&self) -> Self {
        let mut items = IndexSet::with_capacity(self.len());
        for item in self {
            items.insert(item.clone());
        }
        Self(Box::new(items))
    }
}

/// The same in any order, as equal sets may differ in it.
impl Hash for Set {
    fn hash<H: Hasher>(&self, state: &mut H) {
        super::hash_unordered(self.iter(), state);
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl<V: Into<Value>> FromIterator<V> for Set {
    fn from_iter<I: IntoIterator<Item = V>>(items: I) -> Self {
        Self(Box::new(items.into_iter().map(Into::into).collect()))
    }
}

impl<V: Into<Value>> Extend<V> for Set {
    fn extend<I: IntoIterator<Item = V>>(&mut self, items: I) {
        self.0.extend(items.into_iter().map(Into::into));
    }
}

impl<'a> IntoIterator for &'a Set {
    type Item = &'a Value;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        Iter(self.0.iter())
    }
}

/// The items of a borrowed [`Set`], in order of arrival.
#[derive(Debug)]
pub struct Iter<'a>(indexmap::set::Iter<'a, Value>);

impl<'a> Iterator for Iter<'a> {
    type Item = &'a Value;

    fn next(&mut self) -> Option<&'a Value> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl IntoIterator for Set {
    type Item = Value;
    type IntoIter = IntoIter;

    fn into_iter(self) -> IntoIter {
        IntoIter(self.0.into_iter())
    }
}

/// The items of a [`Set`], in order of arrival.
#[derive(Debug)]
pub struct IntoIter(indexmap::set::IntoIter<Value>);

impl Iterator for IntoIter {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for IntoIter {}
