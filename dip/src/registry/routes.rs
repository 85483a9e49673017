//! The checked router, and what happened to the messages it routed.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU8, AtomicU64};

use rustc_hash::FxHashMap;

use super::{RESERVED, protocols};
use crate::handler::{HandlerEntry, Route};
use crate::limits::Limits;
use crate::mtype::Mtype;
use crate::protocol::ProtocolEntry;

/// The checked router: what happens to a message of each type.
pub(crate) struct Routes {
    bytes: Vec<Option<Arc<Destination>>>,
    named: FxHashMap<Mtype, Arc<Destination>>,
    fallback: Option<&'static HandlerEntry>,
}

/// Where the messages of one type go.
pub(crate) struct Destination {
    pub(crate) protocol: &'static ProtocolEntry,
    /// `None`: a type that is known, but handled by nobody.
    pub(crate) handler: Option<&'static HandlerEntry>,
    pub(crate) counters: Counters,
}

/// What happened to the messages of one type.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) count: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) in_flight: AtomicU64,
    pub(crate) unhandled: AtomicU64,
    pub(crate) late: AtomicU64,
    /// How often its handler kept a connection busy.
    pub(crate) slow: Slowness,
}

/// Whether a handler is one that keeps others waiting, which is to be seen more than once: the
/// system may have stopped the thread meanwhile.
#[derive(Default)]
pub(crate) struct Slowness(AtomicU8);

impl Slowness {
    const ONE: u8 = 16;
    const ENOUGH: u8 = 4 * Self::ONE;

    pub(crate) fn is_slow(&self) -> bool {
        self.0.load(Relaxed) >= Self::ENOUGH
    }

    /// A first poll was slow; whether that was once too often.
    pub(crate) fn slow(&self) -> bool {
        let before = self.0.fetch_add(Self::ONE, Relaxed);
        before < Self::ENOUGH && before + Self::ONE >= Self::ENOUGH
    }

    /// A first poll was not slow.
    pub(crate) fn quick(&self) {
        let score = self.0.load(Relaxed);
        if score > 0 {
            self.0.store(score - 1, Relaxed);
        }
    }
}

impl Counters {
    /// A message has been answered.
    pub(crate) fn ended(&self, well: bool) {
        if !well {
            self.errors.fetch_add(1, Relaxed);
        }
    }
}

impl Routes {
    pub(super) fn new(
        protocols: &HashMap<Mtype, &'static ProtocolEntry>,
        handlers: &HashMap<Route, &'static HandlerEntry>,
    ) -> Self {
        let any = handlers.get(&Route::Any).copied();
        let fallback = handlers.get(&Route::Fallback).copied().or(any);
        let mut routes = Self { bytes: vec![None; 256], named: FxHashMap::default(), fallback };
        for (mtype, protocol) in protocols {
            let own = handlers.get(&Route::One(*mtype)).copied();
            let handler = own.or(any.filter(|_| protocol.builtin));
            let destination =
                Arc::new(Destination { protocol, handler, counters: Counters::default() });
            match mtype.as_byte() {
                Some(byte) => routes.bytes[usize::from(byte)] = Some(destination),
                None => _ = routes.named.insert(*mtype, destination),
            }
        }
        routes
    }

    pub(crate) fn without_handlers() -> Self {
        Self::new(&protocols(&mut Vec::new()), &HashMap::new())
    }

    /// Where a message goes whose mtype has this number.
    pub(crate) fn find(&self, number: u32) -> Option<&Arc<Destination>> {
        let mtype = Mtype::from_number(number);
        match mtype.as_byte() {
            Some(byte) => self.bytes[usize::from(byte)].as_ref(),
            None => self.named.get(&mtype),
        }
    }

    /// Where a frame of the classic wire goes.
    pub(crate) fn byte(&self, mtype: u8) -> Option<&Arc<Destination>> {
        self.find(mtype.into())
    }

    /// A message was refused before it was dispatched.
    pub(crate) fn refused(&self, mtype: u32) {
        if let Some(to) = self.find(mtype) {
            to.counters.count.fetch_add(1, Relaxed);
            to.counters.errors.fetch_add(1, Relaxed);
        }
    }

    /// The handler of what has no other. A frame that opens the native wire is no message: its
    /// sender has to be told that nobody knows it.
    pub(crate) fn fallback_of(&self, number: u32) -> Option<&'static HandlerEntry> {
        let is_reserved = RESERVED.iter().any(|byte| u32::from(*byte) == number);
        self.fallback.filter(|_| !is_reserved)
    }

    /// The same for a frame of the classic wire.
    pub(crate) fn fallback(&self, mtype: u8) -> Option<&'static HandlerEntry> {
        self.fallback_of(mtype.into())
    }

    /// All destinations, byte types first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Destination>> {
        self.bytes.iter().flatten().chain(self.named.values())
    }
}

impl Destination {
    /// The longest body that is taken in.
    pub(crate) fn max_len(&self, limits: &Limits) -> usize {
        const LONG: &[u8] = b"OEPJUI";
        let long = |byte| self.protocol.builtin && LONG.contains(&byte);
        match self.protocol.max_len {
            Some(max) => usize::try_from(max).unwrap_or(usize::MAX),
            None if self.protocol.mtype.as_byte().is_some_and(long) => limits.max_builtin_message.0,
            None => limits.max_message.0,
        }
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Destination({} to {:?})", self.protocol.mtype, self.handler)
    }
}
