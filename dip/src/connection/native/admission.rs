//! What a connection takes in: types that are known, as long as they may be, as far as there is memory.

use super::requests::Serving;
use crate::mtype::Mtype;
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

/// Takes in what the router knows, up to the limit of each type.
pub(super) struct Admitting<'a> {
    pub(super) serving: &'a Serving,
    pub(super) account: &'a mut Account,
}

impl Admission for Admitting<'_> {
    #[inline]
    fn max_len(&mut self, mtype: u32, _notify: bool) -> Result<u64, Refusal> {
        let (routes, limits) = (self.serving.service.routes(), self.serving.service.limits());
        let refusal = |rejection: Rejection| Refusal {
            code: rejection.code().number(),
            text: rejection.text_on_wire(),
        };
        let known = routes.find(mtype);
        let max = match known {
            Some(to) => {
                if self.serving.link.differs(to.protocol.mtype) {
                    let text = format!(
                        "the two sides know different versions of `{}`",
                        (to.protocol.name)()
                    );
                    let why = Rejection::of(Code::SchemaMismatch, "UnsupportedProtoError", text);
                    return Err(refusal(why));
                }
                to.max_len(limits)
            }
            None if routes.fallback_of(mtype).is_some() => limits.max_message.0,
            None => return Err(refusal(Rejection::unknown_type(Mtype::from_number(mtype)))),
        };
        Ok(max as u64)
    }

    fn reserve(&mut self, bytes: u64) -> bool {
        self.account.reserve(bytes)
    }

    fn release(&mut self, bytes: u64) {
        self.account.release(bytes);
    }
}
