//! Whether what an operation was told is so.

use super::peer::{Kind, Peer, UNKNOWN, pattern};
use super::*;

impl Peer {
    /// What was put in before a flush that has ended is there.
    pub(super) fn check_flushes(&self, other: &Self) {
        for flush in &self.flushed {
            for (at, operation) in self.operations[..*flush].iter().enumerate() {
                let is_due = match &operation.outcome {
                    // What is not answered may be refused in part, when its deadline is over.
                    None => !operation.abandoned && operation.deadline.is_none(),
                    Some(Outcome::Reply(_) | Outcome::Sent) => true,
                    _ => false,
                };
                let mtype = at as u32 + 1;
                let is_there = other.knows(mtype) || other.knows(mtype | UNKNOWN);
                assert!(
                    !is_due || is_there || operation.kind == Kind::Flush,
                    "a flush is over, and {operation:?} is not there"
                );
            }
        }
    }

    /// What each operation was told is so.
    pub(super) fn judge(&self, other: &Self, was_lost: bool, seen: &mut Seen) {
        seen.stops += self.stops;
        seen.nested += self.nested;
        for (at, operation) in self.operations.iter().enumerate() {
            let number = at as u32 + 1;
            let was_dispatched = other.dispatched.contains(&number)
                || other.dispatched.contains(&(number | UNKNOWN));
            if operation.abandoned {
                assert_eq!(operation.outcome, None);
                continue;
            }
            let outcome = operation.outcome.as_ref().expect("each has its outcome");
            match outcome {
                Outcome::Reply(body) => {
                    assert!(was_dispatched);
                    assert!(**body == pattern(!number, body.len()), "the reply to another call");
                    seen.replies += 1;
                }
                Outcome::Failed(failed) => {
                    let Failed { code, handled, ref detail, .. } = **failed;
                    assert_eq!(was_dispatched, handled == 2, "{code} {handled}");
                    assert_ne!(code, 13, "the depth is known here");
                    assert!(code == 16 || **detail == pattern(number, detail.len()));
                    seen.failures += 1;
                }
                Outcome::Sent => {
                    assert!(was_lost || other.knows(number) || other.knows(number | UNKNOWN));
                    seen.notices += 1;
                }
                Outcome::Flushed => seen.flushes += 1,
                Outcome::Late { sent } => {
                    assert!(*sent || !was_dispatched);
                    assert!(operation.deadline.is_some());
                    seen.late += 1;
                }
                Outcome::Lost { sent } => {
                    assert!(was_lost);
                    assert!(*sent || !was_dispatched || self.session.has_said_goodbye());
                    seen.lost += 1;
                }
                Outcome::Refused(refused) => {
                    assert!(!was_dispatched && *refused != Refused::Passive);
                    seen.refused += 1;
                }
            }
        }
    }

    fn knows(&self, mtype: u32) -> bool {
        self.dispatched.contains(&mtype) || self.turned_away.contains(&mtype)
    }
}
