//! Frames of theirs that are neither messages nor answers.

use super::{Event, MOST_CREDIT, Session, Violation};
use crate::wire::native::{Credit, CreditKind, Goaway, Header, Kind};

impl Session {
    /// A frame that is neither a message nor an answer to one.
    pub(super) fn control(&mut self, kind: Kind, id: u32, body: &[u8]) -> Result<(), Violation> {
        match kind {
            Kind::Ping | Kind::Pong | Kind::Goaway if id != 0 => {
                Err(Violation::OutOfPlace("a frame of the whole connection with the id of a call"))
            }
            Kind::Ping if self.ours.passive => {
                Err(Violation::OutOfPlace("a ping to a side that answers none"))
            }
            Kind::Ping => {
                self.flood.ping(self.now)?;
                // Everything before it was handed to the driver, which dispatches in order.
                self.output.plain(Header::new(Kind::Pong, 0), body);
                Ok(())
            }
            Kind::Pong => self.flushed(body),
            Kind::Credit => self.credited(id, Credit::parse(body)?),
            Kind::Stop => self.stray(id),
            Kind::Goaway => self.farewell(Goaway::parse(body)?),
            _ => Err(Violation::OutOfPlace("a frame of a kind that has no place here")),
        }
    }

    pub(super) fn farewell(&mut self, goaway: Goaway<'_>) -> Result<(), Violation> {
        self.last_word |= goaway.reason == 0;
        if std::mem::replace(&mut self.goodbye, true) {
            return self.flood.cheap(self.now);
        }
        self.withdraw_unsent();
        let Goaway { reason, text } = goaway;
        self.events.push_back(Event::Goodbye { reason, text: text.to_owned() });
        Ok(())
    }

    /// A frame of a stream: there are none yet, and those of ended ones are ignored.
    pub(super) fn stray(&mut self, id: u32) -> Result<(), Violation> {
        if id == 0 {
            return Err(Violation::OutOfPlace("a frame of a stream without a call"));
        }
        if self.ids.call_of(id).is_some() || self.requests.by_id(id).is_some() {
            return Err(Violation::OutOfPlace("a frame of a stream in a call that is none"));
        }
        self.flood.cheap(self.now)
    }

    pub(super) fn credited(&mut self, id: u32, credit: Credit) -> Result<(), Violation> {
        match credit.kind {
            CreditKind::Stream => return self.stray(id),
            _ if id != 0 => {
                return Err(Violation::OutOfPlace("credit of the connection to a call"));
            }
            CreditKind::Notify => self.notify_credit += u64::from(credit.amount),
            CreditKind::Body => self.bodies.credited(credit.amount.into()),
        }
        if self.notify_credit > MOST_CREDIT || self.bodies.window > MOST_CREDIT {
            return Err(Violation::TooMany("more credit than there can be"));
        }
        self.pay_notices();
        Ok(())
    }
}
