//! What each frame leads to.

use std::ops::Range;
use std::time::Instant;

use bytes::Bytes;

use super::assembly::{Assembly, Purpose};
use super::{Front, Input, MAX_CONTROL, NoticeHead, Received, RequestHead, Step, Whole};
use crate::buffer::Buffer;
use crate::session::native::admission::{Admitted, First, Verdict};
use crate::session::native::{Admission, Failed, Outcome, SHORT_BODY, Session, Violation};
use crate::wire::native::{Failure, HEADER, Header, Kind, Metadata};

impl Input {
    /// Looks at the frame in front.
    pub(super) fn frame(
        &mut self,
        session: &mut Session,
        admission: &mut impl Admission,
    ) -> Result<Step, Violation> {
        if self.plain(session, admission)? {
            return Ok(Step::Dealt);
        }
        let unread = &self.read[self.at..];
        let Some(header) = unread.first_chunk::<HEADER>() else { return Ok(Step::Starved) };
        let header = Header::parse(*header)?;
        if header.body > session.ours.max_piece {
            return Err(Violation::TooMany("a frame longer than is taken"));
        }
        let before = HEADER + usize::from(header.metadata);
        let whole = before + header.body as usize;
        let Some(kind) = header.kind else {
            session.flood.cheap(session.now)?;
            self.front = Front::Skipped(whole as u64);
            return Ok(Step::Again);
        };
        match kind {
            Kind::Request | Kind::Notify | Kind::Reply | Kind::Error => {
                let Some(metadata) = unread.get(HEADER..before) else { return Ok(Step::Starved) };
                if let Some(assembly) = self.assemblies.get_mut(&header.call) {
                    assembly.check(&header)?;
                    self.at += before;
                    return self.piece(header, session, admission);
                }
                let metadata = Metadata::parse(metadata)?;
                let len = whole_len(&header, &metadata)?;
                let is_short = !header.more && len <= SHORT_BODY as u64;
                if is_short && unread.len() < whole {
                    return Ok(Step::Starved);
                }
                self.at += before;
                let first = First { header, metadata: &metadata, len };
                match kind {
                    Kind::Request => self.request(first, session, admission),
                    Kind::Notify => self.notice(first, session, admission),
                    _ => self.answer(kind, first, session),
                }
            }
            Kind::Item | Kind::End => {
                session.stray(header.call)?;
                self.front = Front::Skipped(whole as u64);
                Ok(Step::Again)
            }
            _ => {
                if header.metadata != 0 || header.body > MAX_CONTROL {
                    return Err(Violation::Malformed("a frame with more in it than its kind has"));
                }
                let Some(body) = unread.get(before..whole) else { return Ok(Step::Starved) };
                if kind == Kind::Cancel {
                    self.cancel(&header, session, admission)?;
                } else {
                    let fixed = matches!(kind, Kind::Ping | Kind::Pong).then_some(8);
                    if fixed.is_some_and(|fixed| fixed != body.len()) {
                        return Err(Violation::Malformed("a ping of the wrong length"));
                    }
                    session.control(kind, header.call, body)?;
                }
                self.at += whole;
                Ok(Step::Dealt)
            }
        }
    }

    fn request(
        &mut self,
        first: First<'_>,
        session: &mut Session,
        admission: &mut impl Admission,
    ) -> Result<Step, Violation> {
        let Header { call: id, mtype, .. } = first.header;
        session.charge_body(first.len)?;
        match session.begin_request(first, admission)? {
            Verdict::Taken(Admitted { key, deadline, depth }, reserved) => {
                // None is taken in from deeper than that.
                let depth = u8::try_from(depth).unwrap_or(u8::MAX);
                let trace = first.metadata.trace.map(Box::new);
                let head = RequestHead { key, mtype, deadline, depth, trace };
                if let Some(here) = self.short(&first) {
                    *self.received.add() = Received::Request { head, body: Whole::here(&here) };
                    return Ok(Step::Dealt);
                }
                self.begin(id, Assembly::new(Purpose::Request(head), first, reserved, session.now));
            }
            Verdict::Refused { code } => {
                session.return_body(first.len);
                let key = session.requests.by_id(id).filter(|_| first.header.more);
                self.skip(session.now, first, key.map(Purpose::RefusedRequest));
                *self.received.add() = Received::Refused { mtype, code };
                return Ok(Step::Dealt);
            }
        }
        Ok(Step::Again)
    }

    fn notice(
        &mut self,
        first: First<'_>,
        session: &mut Session,
        admission: &mut impl Admission,
    ) -> Result<Step, Violation> {
        let Header { call: id, mtype, more, .. } = first.header;
        if session.ours.passive {
            return Err(Violation::OutOfPlace("a message to a side that takes none"));
        }
        let fits = if more {
            session.ids.is_theirs(id) && session.requests.by_id(id).is_none()
        } else {
            id == 0
        };
        if !fits {
            return Err(Violation::OutOfPlace("a one-way message under an id that is not for it"));
        }
        session.flood.message();
        session.charge_body(first.len)?;
        let receipt = session.charge_notice(first.len)?;
        match session.admit(&first, true, admission) {
            Ok(reserved) => {
                let trace = first.metadata.trace.map(Box::new);
                let head = NoticeHead { receipt, mtype, trace };
                if let Some(here) = self.short(&first) {
                    session.notices += 1;
                    *self.received.add() = Received::Notice { head, body: Whole::here(&here) };
                    return Ok(Step::Dealt);
                }
                self.begin(id, Assembly::new(Purpose::Notice(head), first, reserved, session.now));
                Ok(Step::Again)
            }
            Err(refusal) => {
                session.return_body(first.len);
                if more {
                    self.skip(session.now, first, Some(Purpose::RefusedNotice(receipt)));
                } else {
                    session.notice_refused(receipt);
                    self.skip(session.now, first, None);
                }
                *self.received.add() = Received::Refused { mtype, code: refusal.code };
                Ok(Step::Dealt)
            }
        }
    }

    fn answer(
        &mut self,
        kind: Kind,
        first: First<'_>,
        session: &mut Session,
    ) -> Result<Step, Violation> {
        let id = first.header.call;
        let expected = session.expects(id, kind)?;
        if first.metadata.unsupported.is_some() {
            return Err(Violation::OutOfPlace("an answer with metadata that is not known"));
        }
        // An error of ordinary length is taken in any case: it says what was too long.
        let errors = if kind == Kind::Error { SHORT_BODY as u64 } else { 0 };
        if first.len > session.ours.max_message.max(errors) {
            return Err(Violation::TooMany("an answer longer than is taken"));
        }
        session.charge_body(first.len)?;
        let Some(ticket) = expected else {
            session.return_body(first.len);
            if first.header.more {
                self.skip(session.now, first, Some(Purpose::UnwantedAnswer));
            } else {
                self.skip(session.now, first, None);
                session.answered_by(id, None);
            }
            return Ok(Step::Again);
        };
        if let Some(here) = self.short(&first) {
            let outcome = match kind {
                Kind::Error => failed(&self.read[here])?,
                _ => Outcome::Reply(Buffer::of(&self.read[here]).into()),
            };
            session.answer_came(ticket, id, Some(outcome));
            return Ok(Step::Dealt);
        }
        self.begin(id, Assembly::new(Purpose::Answer(kind), first, 0, session.now));
        Ok(Step::Again)
    }

    /// The body of a short message, which is then dealt with.
    fn short(&mut self, first: &First<'_>) -> Option<Range<usize>> {
        if first.header.more || first.len > SHORT_BODY as u64 {
            return None;
        }
        let body = self.at..self.at + first.header.body as usize;
        self.at = body.end;
        self.long = false;
        Some(body)
    }

    /// A body comes in pieces, or is long.
    fn begin(&mut self, id: u32, assembly: Assembly) {
        let (until, more) = (assembly.expected(), assembly.more());
        self.front = Front::Piece { id, until, more };
        self.assemblies.insert(id, assembly);
        self.long = true;
    }

    /// The body of this frame is not wanted; nor are the pieces that follow, until their purpose is
    /// fulfilled.
    fn skip(&mut self, now: Instant, first: First<'_>, purpose: Option<Purpose>) {
        self.front = Front::Skipped(first.header.body.into());
        if let Some(purpose) = purpose {
            self.assemblies.insert(first.header.call, Assembly::new(purpose, first, 0, now));
        }
    }

    /// The next frame of a body came; where it leads is known.
    fn piece(
        &mut self,
        header: Header,
        session: &mut Session,
        admission: &mut impl Admission,
    ) -> Result<Step, Violation> {
        let id = header.call;
        if matches!(header.kind, Some(Kind::Request | Kind::Notify)) && !header.more {
            session.flood.end_of_message();
        }
        let Some(assembly) = self.assemblies.get_mut(&id) else { return Ok(Step::Again) };
        assembly.expect(&header)?;
        let unwanted = match &assembly.purpose {
            Purpose::Request(head) if !session.wants(head.key) => {
                Some(Purpose::RefusedRequest(head.key))
            }
            Purpose::Answer(kind) if session.expects(id, *kind)?.is_none() => {
                Some(Purpose::UnwantedAnswer)
            }
            _ => None,
        };
        if let Some(purpose) = unwanted {
            session.return_body(assembly.total());
            admission.release(std::mem::take(&mut assembly.reserved));
            self.held -= assembly.drop_body();
            assembly.purpose = purpose;
        }
        if !assembly.purpose.is_skipped() {
            self.front = Front::Piece { id, until: assembly.expected(), more: header.more };
            return Ok(Step::Again);
        }
        self.front = Front::Skipped(header.body.into());
        if header.more { Ok(Step::Again) } else { self.complete(id, session, admission) }
    }

    /// The last piece of a body came.
    pub(super) fn complete(
        &mut self,
        id: u32,
        session: &mut Session,
        admission: &mut impl Admission,
    ) -> Result<Step, Violation> {
        let Some(mut assembly) = self.assemblies.remove(&id) else { return Ok(Step::Again) };
        let reserved = assembly.reserved;
        if !assembly.purpose.is_skipped() {
            session.return_body(assembly.total());
        }
        self.held -= assembly.capacity();
        let body = assembly.take_body();
        match assembly.purpose {
            Purpose::Request(head) if session.hand_over(head.key) => {
                let body = Whole::Own(Box::new((body, reserved)));
                *self.received.add() = Received::Request { head, body };
            }
            Purpose::Request(_) => admission.release(reserved),
            Purpose::Notice(head) => {
                session.notices += 1;
                let body = Whole::Own(Box::new((body, reserved)));
                *self.received.add() = Received::Notice { head, body };
            }
            Purpose::Answer(kind) => {
                let outcome = match kind {
                    Kind::Error => failed(&body)?,
                    _ => Outcome::Reply(body.into()),
                };
                session.answered_by(id, Some(outcome));
            }
            Purpose::RefusedRequest(key) => session.no_more_pieces(key),
            Purpose::RefusedNotice(receipt) => session.notice_refused(receipt),
            Purpose::UnwantedAnswer => session.answered_by(id, None),
        }
        Ok(Step::Dealt)
    }

    /// A CANCEL came: what there is of the call is dropped.
    fn cancel(
        &mut self,
        header: &Header,
        session: &mut Session,
        admission: &mut impl Admission,
    ) -> Result<(), Violation> {
        let id = header.call;
        if header.body != 0 {
            return Err(Violation::Malformed("a cancel with a body"));
        }
        session.cancelled(id)?;
        let is_request = self.assemblies.get(&id).is_some_and(|assembly| {
            matches!(assembly.purpose, Purpose::Request(_) | Purpose::RefusedRequest(_))
        });
        if is_request && let Some(assembly) = self.assemblies.remove(&id) {
            if let Purpose::Request(_) = assembly.purpose {
                session.return_body(assembly.total());
            }
            admission.release(assembly.reserved);
            self.held -= assembly.capacity();
        }
        Ok(())
    }
}

fn failed(body: &[u8]) -> Result<Outcome, Violation> {
    let Failure { code, handled, text, detail } = Failure::parse(body)?;
    let (text, detail) = (text.to_owned(), Bytes::copy_from_slice(detail));
    Ok(Outcome::Failed(Box::new(Failed { code, handled, text, detail })))
}

/// Bytes of the body that begins with this frame.
fn whole_len(header: &Header, metadata: &Metadata) -> Result<u64, Violation> {
    let here = u64::from(header.body);
    match metadata.total {
        Some(total) if header.more && here > 0 && here < total => Ok(total),
        Some(total) if !header.more && here == total => Ok(total),
        Some(_) => Err(Violation::Malformed("a first piece that is not as long as it should be")),
        None if header.more => Err(Violation::Malformed("a first piece without the total")),
        None => Ok(here),
    }
}
