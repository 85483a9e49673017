//! What a server has seen.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crate::mtype::Mtype;
use crate::registry::Routes;

/// What a server has seen since it started.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections that are open.
    pub connections: u64,
    /// Connections that were accepted, those that are open included.
    pub accepted: u64,
    /// Replies that came too late to be written: their sender had given up and sent another message.
    pub late_replies: u64,
    /// Messages of a type that nobody knows.
    pub unknown: u64,
    /// What happened to the messages of each known type, by mtype.
    pub types: Vec<TypeStats>,
    /// How often connections were closed for each reason, where that is not 0.
    pub closed: Vec<(CloseReason, u64)>,
}

/// What happened to the messages of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TypeStats {
    /// Which type.
    pub mtype: Mtype,
    /// The name of the Rust type.
    pub name: &'static str,
    /// Messages that arrived. Those that are handled together are counted when that is done, before any
    /// of them is answered: their own handlers may not see them yet.
    pub count: u64,
    /// Messages that were refused: not decoded, rejected, panicked, stopped.
    pub errors: u64,
    /// Messages whose handler has begun and has to wait, for others or for its turn. One that is ready
    /// without waiting is never seen here.
    pub in_flight: u64,
    /// Messages that no handler takes.
    pub unhandled: u64,
}

impl Stats {
    /// What happened to the messages of one type.
    pub fn of(&self, mtype: Mtype) -> Option<&TypeStats> {
        self.types.iter().find(|stats| stats.mtype == mtype)
    }

    /// How often connections were closed for this reason.
    pub fn closed(&self, reason: CloseReason) -> u64 {
        self.closed.iter().find(|(other, _)| *other == reason).map_or(0, |(_, count)| *count)
    }

    pub(crate) fn new(totals: &Totals, routes: &Routes) -> Self {
        let types = routes.all().map(|to| TypeStats {
            mtype: to.protocol.mtype,
            name: (to.protocol.name)(),
            count: to.counters.count.load(Relaxed),
            errors: to.counters.errors.load(Relaxed),
            in_flight: to.counters.in_flight.load(Relaxed),
            unhandled: to.counters.unhandled.load(Relaxed),
        });
        let mut types: Vec<_> = types.collect();
        types.sort_by_key(|stats| stats.mtype);
        let closed = CloseReason::ALL.iter().zip(&totals.closed);
        let closed: Vec<_> = closed.map(|(reason, count)| (*reason, count.load(Relaxed))).collect();
        let accepted = totals.accepted.load(Relaxed);
        Self {
            // Counters of two threads are read one after the other.
            connections: accepted.saturating_sub(closed.iter().map(|(_, count)| count).sum()),
            accepted,
            late_replies: totals.late_replies.load(Relaxed),
            unknown: totals.unknown.load(Relaxed),
            types,
            closed: closed.into_iter().filter(|(_, count)| *count > 0).collect(),
        }
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $Reason:ident,)+) => {
        /// Why a connection was closed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum CloseReason {
            $($(#[doc = $doc])+ $Reason,)+
        }

        impl CloseReason {
            /// All reasons.
            pub const ALL: &'static [Self] = &[$(Self::$Reason),+];
        }
    };
}

reasons! {
    /// The peer closed it between two messages.
    PeerClosed,
    /// The peer was gone in the middle of a frame, or the connection broke.
    Lost,
    /// The peer may not connect.
    Denied,
    /// There were as many connections as there may be.
    TooMany,
    /// Too many connections had said nothing, and this was the oldest.
    Evicted,
    /// No first frame in time.
    HandshakeTimeout,
    /// A frame took too long.
    FrameTimeout,
    /// A frame came too slowly.
    TooSlow,
    /// A frame was announced that is too long even to be discarded.
    TooLarge,
    /// The bodies under way took as much memory as they may.
    OutOfMemory,
    /// The peer did not read its replies, or gave no credit for one.
    SlowConsumer,
    /// The peer said nothing for long, not even when it was asked.
    Silent,
    /// The server stopped.
    ShuttingDown,
    /// This side closed it, when nobody held it any more.
    Closed,
    /// The peer broke the rules of the native wire.
    Violation,
}

impl CloseReason {
    /// Whether nothing can be written any more.
    pub(crate) fn is_of_writing(self) -> bool {
        matches!(self, Self::Lost | Self::SlowConsumer | Self::Silent)
    }
}

/// The counters behind [`Stats`] that belong to no type.
#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) accepted: AtomicU64,
    pub(crate) late_replies: AtomicU64,
    pub(crate) unknown: AtomicU64,
    closed: [AtomicU64; CloseReason::ALL.len()],
}

impl Totals {
    pub(crate) fn closed(&self, reason: CloseReason) {
        self.closed[reason as usize].fetch_add(1, Relaxed);
    }
}
