//! What a connection takes in: types that are known, as long as they may be, as far as there is memory.

use std::sync::Arc;

use super::requests::Serving;
use crate::mtype::Mtype;
use crate::registry::Destination;
use crate::reply::{Code, Rejection};
use crate::service::Memory;
use crate::session::native::{Admission, Refusal};

/// What a connection holds of the memory of its server for long bodies.
pub(super) struct Account {
    memory: Memory,
    held: u64,
}

impl Account {
    pub(super) fn new(memory: Memory) -> Self {
        Self { memory, held: 0 }
    }

    fn reserve(&mut self, bytes: u64) -> bool {
        let wanted = usize::try_from(self.held.saturating_add(bytes)).unwrap_or(usize::MAX);
        let granted = self.memory.hold(wanted);
        if granted {
            self.held += bytes;
        }
        granted
    }

    #[inline]
    pub(super) fn release(&mut self, bytes: u64) {
        if bytes > 0 {
            self.release_some(bytes);
        }
    }

    fn release_some(&mut self, bytes: u64) {
        self.held = self.held.saturating_sub(bytes);
        self.memory.hold(usize::try_from(self.held).unwrap_or(usize::MAX));
    }
}

/// A type whose messages are taken in. Most messages are of the same type as the one before.
pub(super) struct Known {
    pub(super) mtype: u32,
    pub(super) to: Arc<Destination>,
    max_len: u64,
}

/// Takes in what the router knows, up to the limit of each type.
pub(super) struct Admitting<'a> {
    pub(super) serving: &'a Serving,
    pub(super) account: &'a mut Account,
    pub(super) known: &'a mut Option<Known>,
}

impl Admitting<'_> {
    fn look_up(&mut self, mtype: u32) -> Result<u64, Rejection> {
        let (routes, limits) = (self.serving.service.routes(), self.serving.service.limits());
        let Some(to) = routes.find(mtype) else {
            return match routes.fallback_of(mtype) {
                Some(_) => Ok(limits.max_message.0 as u64),
                None => Err(Rejection::unknown_type(Mtype::from_number(mtype))),
            };
        };
        if self.serving.link.differs(to.protocol.mtype) {
            let name = (to.protocol.name)();
            let text = format!("the two sides know different versions of `{name}`");
            return Err(Rejection::of(Code::SchemaMismatch, "UnsupportedProtoError", text));
        }
        let max_len = to.max_len(limits) as u64;
        *self.known = Some(Known { mtype, to: to.clone(), max_len });
        Ok(max_len)
    }

    #[cold]
    fn look_up_or_refuse(&mut self, mtype: u32) -> Result<u64, Box<Refusal>> {
        self.look_up(mtype).map_err(|why| Refusal::of(why.code().number(), why.text_on_wire()))
    }
}

impl Admission for Admitting<'_> {
    #[inline(always)]
    fn max_len(&mut self, mtype: u32, _notify: bool) -> Result<u64, Box<Refusal>> {
        match self.known {
            Some(known) if known.mtype == mtype => Ok(known.max_len),
            _ => self.look_up_or_refuse(mtype),
        }
    }

    fn reserve(&mut self, bytes: u64) -> bool {
        self.account.reserve(bytes)
    }

    fn release(&mut self, bytes: u64) {
        self.account.release(bytes);
    }
}
