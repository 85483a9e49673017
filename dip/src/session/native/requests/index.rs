//! Which of their calls has which id.

use rustc_hash::FxHashMap;

use super::RequestKey;

/// The longest row: 12 KiB.
const LONGEST: usize = 1 << 10;

/// Finds calls by ids that are the peer's own choice. Who uses ids again, as dip does, numbers them in
/// the bits above the lowest, from 0: these stand in a row. Those that have no place there stand in a
/// map.
#[derive(Debug, Default)]
pub(super) struct Index {
    row: Vec<Option<Entry>>,
    others: FxHashMap<u32, RequestKey>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    id: u32,
    key: RequestKey,
}

impl Index {
    pub(super) fn get(&self, id: u32) -> Option<RequestKey> {
        match self.row.get(place_of(id)) {
            Some(Some(entry)) if entry.id == id => Some(entry.key),
            _ if self.others.is_empty() => None,
            _ => self.others.get(&id).copied(),
        }
    }

    /// Adds a call whose id is not in here.
    pub(super) fn insert(&mut self, id: u32, key: RequestKey) {
        let at = place_of(id);
        if self.row.len() <= at && at < LONGEST {
            self.row.resize(at + 1, None);
        }
        match self.row.get_mut(at) {
            Some(free @ None) => *free = Some(Entry { id, key }),
            _ => _ = self.others.insert(id, key),
        }
    }

    pub(super) fn remove(&mut self, id: u32) {
        match self.row.get_mut(place_of(id)) {
            Some(place) if place.is_some_and(|entry| entry.id == id) => *place = None,
            _ => _ = self.others.remove(&id),
        }
    }
}

/// Where an id stands in the row.
fn place_of(id: u32) -> usize {
    usize::from((id >> 1) as u16)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Ids of all kinds: small ones, used again with other upper bits, and such as have no place
        /// in the row.
        #[test]
        fn it_knows_what_a_map_knows(
            steps in prop::collection::vec((any::<bool>(), 0_u32..4, prop_oneof![0_u32..8, 1020_u32..1030]), 1..200)
        ) {
            let mut index = Index::default();
            let mut map = FxHashMap::default();
            for (number, (adds, upper, lower)) in steps.into_iter().enumerate() {
                let id = upper << 17 | lower << 1 | 1;
                let key = RequestKey { slot: number as u32, generation: 0 };
                if adds && !map.contains_key(&id) {
                    index.insert(id, key);
                    map.insert(id, key);
                } else {
                    index.remove(id);
                    map.remove(&id);
                }
                prop_assert_eq!(index.get(id), map.get(&id).copied());
            }
            for upper in 0..4 {
                for lower in (0..8).chain(1020..1030) {
                    let id = upper << 17 | lower << 1 | 1;
                    prop_assert_eq!(index.get(id), map.get(&id).copied());
                }
            }
            prop_assert!(index.row.len() <= LONGEST);
        }
    }
}
