//! The ids of our calls: side, slot and generation.

use super::{Side, Ticket};

/// Bits of an id that say which slot.
const SLOT_BITS: u32 = 16;

/// Ids that can be in use at once.
const SLOTS: usize = 1 << SLOT_BITS;

/// Of the calls to one peer, so many may be under way at depth 0 and at each deeper depth, whatever
/// it allows: all depths together leave ids for one-way messages in pieces.
pub(super) const MOST_CALLS: u16 = 16 << 10;
pub(super) const MOST_NESTED_CALLS: u16 = 192;
const MOST_NOTICES: usize = 128;

#[derive(Debug)]
pub(super) struct Ids {
    side: Side,
    slots: Vec<Slot>,
    free: Vec<u16>,
    /// Ids that are taken for one-way messages.
    notices: usize,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u16,
    call: Option<Ticket>,
}

impl Ids {
    pub(super) fn new(side: Side) -> Self {
        Self { side, slots: Vec::new(), free: Vec::new(), notices: 0 }
    }

    /// Whether the peer chooses ids like this one.
    pub(super) fn is_theirs(&self, id: u32) -> bool {
        id != 0 && !self.is_ours(id)
    }

    pub(super) fn is_ours(&self, id: u32) -> bool {
        id != 0 && id & 1 == self.bit()
    }

    /// Whether there is an id for one more call.
    pub(super) fn is_left(&self) -> bool {
        !self.free.is_empty() || self.slots.len() < SLOTS
    }

    /// A new id for a call.
    pub(super) fn take(&mut self, call: Ticket) -> Option<u32> {
        self.take_slot(Some(call))
    }

    /// A new id for a one-way message in pieces, if that leaves enough for calls.
    pub(super) fn take_for_notice(&mut self) -> Option<u32> {
        let id = (self.notices < MOST_NOTICES).then(|| self.take_slot(None))??;
        self.notices += 1;
        Some(id)
    }

    pub(super) fn call_of(&self, id: u32) -> Option<Ticket> {
        let slot = self.slots.get(usize::from(slot_of(id)))?;
        let is_it = self.is_ours(id) && u32::from(slot.generation) == id >> (SLOT_BITS + 1);
        slot.call.filter(|_| is_it)
    }

    pub(super) fn free(&mut self, id: u32) {
        let slot = slot_of(id);
        let first = u16::from(self.side == Side::Acceptor);
        if let Some(place) = self.slots.get_mut(usize::from(slot)) {
            if place.call.take().is_none() {
                self.notices -= 1;
            }
            place.generation = (place.generation + 1) & (u16::MAX >> 1);
            place.generation = place.generation.max(first);
            self.free.push(slot);
        }
    }

    #[cfg(test)]
    pub(super) fn is_unused(&self) -> bool {
        self.free.len() == self.slots.len()
    }

    #[cfg(test)]
    pub(super) fn first_in_use(&self) -> u32 {
        let generation = self.slots[0].generation;
        u32::from(generation) << (SLOT_BITS + 1) | self.bit()
    }

    fn take_slot(&mut self, call: Option<Ticket>) -> Option<u32> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.slots.len() < SLOTS => {
                // The even id of slot 0 and generation 0 would be 0.
                let generation = u16::from(self.side == Side::Acceptor);
                self.slots.push(Slot { generation, call: None });
                (self.slots.len() - 1) as u16
            }
            None => return None,
        };
        let place = &mut self.slots[usize::from(slot)];
        place.call = call;
        let generation = u32::from(place.generation) << (SLOT_BITS + 1);
        Some(generation | u32::from(slot) << 1 | self.bit())
    }

    fn bit(&self) -> u32 {
        u32::from(self.side == Side::Connector)
    }
}

fn slot_of(id: u32) -> u16 {
    (id >> 1) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_side_that_connected_counts_odd_ids_and_the_other_even_ones() {
        let mut connector = Ids::new(Side::Connector);
        assert_eq!([connector.take_for_notice(), connector.take_for_notice()], [Some(1), Some(3)]);
        let mut acceptor = Ids::new(Side::Acceptor);
        let id = acceptor.take_for_notice().unwrap();
        assert!(acceptor.is_ours(id) && connector.is_theirs(id) && !connector.is_ours(id));
        assert!(!connector.is_theirs(0) && !connector.is_ours(0));
    }

    #[test]
    fn no_id_is_zero_and_one_used_again_differs() {
        for side in [Side::Connector, Side::Acceptor] {
            let mut ids = Ids::new(side);
            let mut last = 0;
            for _ in 0..70_000 {
                let id = ids.take_for_notice().unwrap();
                assert!(id != 0 && id != last);
                ids.free(id);
                last = id;
            }
        }
    }

    #[test]
    fn one_way_messages_leave_enough_ids_for_all_calls() {
        let mut ids = Ids::new(Side::Acceptor);
        let taken: Vec<u32> = std::iter::from_fn(|| ids.take_for_notice()).collect();
        assert_eq!(taken.len(), MOST_NOTICES);
        let calls = usize::from(MOST_CALLS) + 255 * usize::from(MOST_NESTED_CALLS);
        for _ in 0..calls {
            assert!(ids.is_left() && ids.take_slot(Some(Ticket::default())).is_some());
        }
        ids.free(taken[0]);
        assert!(ids.take_for_notice().is_some_and(|id| id != taken[0]));
        while ids.is_left() {
            assert!(ids.take_slot(Some(Ticket::default())).is_some());
        }
        assert_eq!(ids.take_slot(Some(Ticket::default())), None);
    }
}
