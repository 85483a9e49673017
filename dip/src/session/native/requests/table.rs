//! Where their calls are found by id.

use rustc_hash::FxHashMap;

use super::Request;

/// The longest row: 56 KiB, of a peer that has as many calls under way.
const LONGEST: usize = 1 << 10;

/// Finds calls by ids that are the peer's own choice. Who uses ids again, as dip does, numbers them in
/// the bits above the lowest, from 0: these stand in a row. Those that have no place there stand in a
/// map.
#[derive(Debug, Default)]
pub(super) struct Table {
    row: Vec<Option<Entry>>,
    others: FxHashMap<u32, Entry>,
    len: usize,
}

/// A call, and its number.
type Entry = (u32, Request);

impl Table {
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    pub(super) fn get(&self, id: u32) -> Option<&Entry> {
        match self.row.get(place_of(id)) {
            Some(Some(entry)) if entry.1.id == id => Some(entry),
            _ if self.others.is_empty() => None,
            _ => self.others.get(&id),
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut Entry> {
        match self.row.get_mut(place_of(id)) {
            Some(Some(entry)) if entry.1.id == id => Some(entry),
            _ => self.others.get_mut(&id),
        }
    }

    /// Adds a call whose id is not in here.
    #[inline(always)]
    pub(super) fn insert(&mut self, id: u32, entry: Entry) {
        let at = place_of(id);
        if self.row.len() <= at && at < LONGEST {
            self.row.resize(at + 1, None);
        }
        self.len += 1;
        match self.row.get_mut(at) {
            Some(free @ None) => *free = Some(entry),
            _ => self.insert_elsewhere(id, entry),
        }
    }

    #[cold]
    fn insert_elsewhere(&mut self, id: u32, entry: Entry) {
        self.others.insert(id, entry);
    }

    /// Takes out a call that is in here.
    #[inline]
    pub(super) fn remove(&mut self, id: u32) {
        match self.row.get_mut(place_of(id)) {
            Some(place) if place.is_some_and(|(_, request)| request.id == id) => *place = None,
            _ => _ = self.others.remove(&id),
        }
        self.len -= 1;
    }

    /// Takes a call out, if it is in here and `is_such` says so.
    #[inline]
    pub(super) fn remove_if(&mut self, id: u32, is_such: impl Fn(&Entry) -> bool) -> Option<Entry> {
        let entry = match self.row.get_mut(place_of(id)) {
            Some(place) if place.is_some_and(|(_, request)| request.id == id) => {
                place.take_if(|entry| is_such(entry))
            }
            _ if self.others.get(&id).is_some_and(is_such) => self.others.remove(&id),
            _ => None,
        };
        self.len -= usize::from(entry.is_some());
        entry
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Entry> {
        self.row.iter().flatten().chain(self.others.values())
    }
}

/// Where an id stands in the row.
fn place_of(id: u32) -> usize {
    usize::from((id >> 1) as u16)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::collections::hash_map::Entry;
    use std::time::Instant;

    use proptest::prelude::*;

    use super::{LONGEST, Request, Table};
    use crate::session::native::requests::Phase;

    fn request(id: u32) -> Request {
        let (deadline, phase) = (Instant::now(), Phase::Arriving);
        Request { id, depth: 0, deadline, capped: false, parent: None, lanes: 0, phase }
    }

    proptest! {
        /// Ids of all kinds: small ones, used again with other upper bits, and such as have no place
        /// in the row.
        #[test]
        fn it_knows_what_a_map_knows(
            steps in prop::collection::vec((any::<bool>(), 0_u32..4, prop_oneof![0_u32..8, 1020_u32..1030]), 1..200)
        ) {
            let mut table = Table::default();
            let mut map = HashMap::new();
            for (number, (adds, upper, lower)) in (0..).zip(steps) {
                let id = upper << 17 | lower << 1 | 1;
                if !adds && let Some(&own) = map.get(&id) {
                    assert!(table.remove_if(id, |entry| entry.0 != own).is_none());
                    if number % 2 == 0 {
                        table.remove(id);
                    } else {
                        let removed = table.remove_if(id, |entry| entry.0 == own);
                        prop_assert_eq!(removed.map(|entry| entry.0), Some(own));
                    }
                    map.remove(&id);
                } else if adds && let Entry::Vacant(vacant) = map.entry(id) {
                    vacant.insert(number);
                    table.insert(id, (number, request(id)));
                }
                prop_assert_eq!(table.get(id).map(|entry| entry.0), map.get(&id).copied());
                prop_assert_eq!(table.get_mut(id).map(|entry| entry.0), map.get(&id).copied());
                prop_assert_eq!(table.values().count(), map.len());
                prop_assert_eq!(table.is_empty(), map.is_empty());
            }
            for upper in 0..4 {
                for lower in (0..8).chain(1020..1030) {
                    let id = upper << 17 | lower << 1 | 1;
                    prop_assert_eq!(table.get(id).map(|entry| entry.0), map.get(&id).copied());
                }
            }
            prop_assert!(table.row.len() <= LONGEST);
        }
    }
}
