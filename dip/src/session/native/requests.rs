//! Their calls: from the first frame to the terminal one.

mod table;

use std::time::Instant;

use self::table::Table;
use super::Ticket;
use crate::wire::hello::Terms;

/// One of their calls that we handle: its id, which is used again, and its number, which is not.
///
/// One word, not two halves: what was written in halves can be read as a whole only when it has left the
/// store buffer of the core, and keys are passed on at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct RequestKey(u64);

impl RequestKey {
    fn of(id: u32, number: u32) -> Self {
        Self(u64::from(number) << 32 | u64::from(id))
    }

    pub(super) fn id(self) -> u32 {
        self.0 as u32
    }

    fn number(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

#[derive(Clone, Copy, Debug)]
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
    /// How many there are is bounded by permits, whatever ids a peer chooses.
    table: Table,
    next_number: u32,
    /// Those that need a permit, by depth.
    pub(super) live: Vec<usize>,
    pub(super) refused: usize,
}

impl Requests {
    pub(super) fn new(ours: Terms) -> Self {
        Self {
            ours,
            table: Table::default(),
            next_number: 0,
            // One more for those that are too deep.
            live: vec![0; usize::from(ours.deepest) + 2],
            refused: 0,
        }
    }

    pub(super) fn by_id(&self, id: u32) -> Option<RequestKey> {
        let &(number, _) = self.table.get(id)?;
        Some(RequestKey::of(id, number))
    }

    pub(super) fn of(&self, key: RequestKey) -> Option<&Request> {
        let (number, request) = self.table.get(key.id())?;
        (*number == key.number()).then_some(request)
    }

    pub(super) fn depth(&self, key: RequestKey) -> u16 {
        self.of(key).map_or(0, |request| request.depth)
    }

    pub(super) fn id(&self, key: RequestKey) -> u32 {
        self.of(key).map_or(0, |request| request.id)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.table.is_empty()
    }

    pub(super) fn of_mut(&mut self, key: RequestKey) -> Option<&mut Request> {
        let (number, request) = self.table.get_mut(key.id())?;
        (*number == key.number()).then_some(request)
    }

    /// Adds a call whose id is not in here.
    #[inline(always)]
    pub(super) fn insert(&mut self, request: Request) -> RequestKey {
        let (id, number) = (request.id, self.next_number);
        self.next_number = number.wrapping_add(1);
        if request.phase == Phase::Refused {
            self.refused += 1;
        } else {
            self.live[usize::from(request.depth)] += 1;
        }
        self.table.insert(id, (number, request));
        RequestKey::of(id, number)
    }

    /// Forgets a call; says how deep it was.
    #[inline]
    pub(super) fn remove(&mut self, key: RequestKey) -> Option<u16> {
        let &Request { depth, phase, .. } = self.of(key)?;
        self.table.remove(key.id());
        if phase == Phase::Refused {
            self.refused -= 1;
        } else {
            self.live[usize::from(depth)] -= 1;
        }
        Some(depth)
    }

    /// Forgets a call that is in hand, and not answered; says how deep it was.
    #[inline]
    pub(super) fn remove_in_hand(&mut self, key: RequestKey) -> Option<u16> {
        let live = |(number, request): &(u32, Request)| {
            *number == key.number() && matches!(request.phase, Phase::InHand { .. })
        };
        let (_, Request { depth, .. }) = self.table.remove_if(key.id(), live)?;
        self.live[usize::from(depth)] -= 1;
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
        let key = |(number, request): &(u32, Request)| RequestKey::of(request.id, *number);
        self.table.values().map(move |entry| (key(entry), &entry.1))
    }
}
