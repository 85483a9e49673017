//! What a pickle remembers, to refer to it again.

use std::collections::HashMap;

use super::graph::Id;

/// Nodes by index. There are never more entries than instructions that made one, whatever indices
/// they name.
#[derive(Default)]
pub(super) struct Memo {
    /// The entries 0, 1, 2, … as picklers number them.
    dense: Vec<Id>,
    /// All others.
    sparse: HashMap<u64, Id>,
}

impl Memo {
    pub(super) fn get(&self, index: u64) -> Option<Id> {
        match usize::try_from(index) {
            Ok(index) if index < self.dense.len() => Some(self.dense[index]),
            _ => self.sparse.get(&index).copied(),
        }
    }

    pub(super) fn put(&mut self, index: u64, id: Id) {
        match usize::try_from(index) {
            Ok(index) if index < self.dense.len() => self.dense[index] = id,
            Ok(next) if next == self.dense.len() => {
                self.sparse.remove(&index);
                self.dense.push(id);
            }
            _ => {
                self.sparse.insert(index, id);
            }
        }
    }

    /// Puts `id` at the index that is the number of entries, as Python does.
    pub(super) fn memoize(&mut self, id: Id) {
        self.put((self.dense.len() + self.sparse.len()) as u64, id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_whatever_order_they_came_in() {
        let mut memo = Memo::default();
        for (index, id) in [(0, 10), (2, 12), (u64::MAX, 99), (1, 11), (2, 22), (0, 20)] {
            memo.put(index, id);
        }
        assert_eq!([0, 1, 2, u64::MAX].map(|index| memo.get(index)), [20, 11, 22, 99].map(Some));
        assert_eq!(memo.get(3), None);
        memo.memoize(30);
        assert_eq!(memo.get(4), Some(30));
    }

    #[test]
    fn a_huge_index_costs_one_entry() {
        let mut memo = Memo::default();
        memo.put(100_000_000, 1);
        assert!(memo.dense.capacity() == 0 && memo.sparse.capacity() < 100);
    }
}
