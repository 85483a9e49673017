//! The table of their calls: from the first frame to the terminal one.

mod index;

use std::time::Instant;

use self::index::Index;
use super::Ticket;
use crate::wire::hello::Terms;

/// One of their calls that we handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RequestKey {
    slot: u32,
    generation: u32,
}

#[derive(Debug)]
pub(super) struct Request {
    pub(super) id: u32,
    pub(super) depth: u16,
    pub(super) deadline: Instant,
    /// The deadline is that of this side's handlers.
    pub(super) capped: bool,
    /// The call of ours that it serves.
    pub(super) parent: Option<Ticket>,
    /// A bit for each lane that its handler takes.
    pub(super) lanes: u8,
    pub(super) phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its body comes in pieces.
    Arriving,
    /// It was handed to the driver.
    InHand { stopped: bool },
    /// Its answer waits, or goes out in pieces.
    Answering,
    /// It is answered, and pieces of its body may still come.
    Refused,
}

#[derive(Debug)]
pub(super) struct Requests {
    ours: Terms,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// How many there are is bounded by permits, whatever ids a peer chooses.
    by_id: Index,
    /// Those that need a permit, by depth.
    pub(super) live: Vec<usize>,
    pub(super) refused: usize,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    request: Option<Request>,
}

impl Requests {
    pub(super) fn new(ours: Terms) -> Self {
        Self {
            ours,
            slots: Vec::new(),
            free: Vec::new(),
            by_id: Index::default(),
            // One more for those that are too deep.
            live: vec![0; usize::from(ours.deepest) + 2],
            refused: 0,
        }
    }

    pub(super) fn by_id(&self, id: u32) -> Option<RequestKey> {
        self.by_id.get(id)
    }

    pub(super) fn of(&self, key: RequestKey) -> Option<&Request> {
        let slot = self.slots.get(key.slot as usize)?;
        slot.request.as_ref().filter(|_| slot.generation == key.generation)
    }

    pub(super) fn depth(&self, key: RequestKey) -> u16 {
        self.of(key).map_or(0, |request| request.depth)
    }

    pub(super) fn id(&self, key: RequestKey) -> u32 {
        self.of(key).map_or(0, |request| request.id)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.free.len() == self.slots.len()
    }

    pub(super) fn of_mut(&mut self, key: RequestKey) -> Option<&mut Request> {
        let slot = self.slots.get_mut(key.slot as usize)?;
        slot.request.as_mut().filter(|_| slot.generation == key.generation)
    }

    #[inline]
    pub(super) fn insert(&mut self, request: Request) -> RequestKey {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            (self.slots.len() - 1) as u32
        });
        let place = &mut self.slots[slot as usize];
        let key = RequestKey { slot, generation: place.generation };
        self.by_id.insert(request.id, key);
        if request.phase == Phase::Refused {
            self.refused += 1;
        } else {
            self.live[usize::from(request.depth)] += 1;
        }
        place.request = Some(request);
        key
    }

    /// Forgets a call; says how deep it was.
    #[inline]
    pub(super) fn remove(&mut self, key: RequestKey) -> Option<u16> {
        let &Request { id, depth, phase, .. } = self.of(key)?;
        let slot = &mut self.slots[key.slot as usize];
        slot.request = None;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(key.slot);
        self.by_id.remove(id);
        if phase == Phase::Refused {
            self.refused -= 1;
        } else {
            self.live[usize::from(depth)] -= 1;
        }
        Some(depth)
    }

    /// A call that is answered before its last piece came. It needs no permit any more, once its
    /// caller has the answer, but may not be one of too many.
    pub(super) fn refuse(&mut self, key: RequestKey) {
        let Some(request) = self.of_mut(key) else { return };
        request.phase = Phase::Refused;
        let depth = usize::from(request.depth);
        self.live[depth] -= 1;
        self.refused += 1;
    }

    pub(super) fn permits(&self, depth: u16) -> usize {
        usize::from(if depth == 0 { self.ours.calls } else { self.ours.nested_calls })
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = (RequestKey, &Request)> {
        self.slots.iter().enumerate().filter_map(|(slot, place)| {
            let key = RequestKey { slot: slot as u32, generation: place.generation };
            Some((key, place.request.as_ref()?))
        })
    }
}
