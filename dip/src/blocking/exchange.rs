//! A message of a blocking client, from its encoding to what came back.

use std::time::{Duration, Instant};

use super::Client;
use super::classic::Sent;
use super::dial::Line;
use crate::call::{self, Message, Unanswered};
use crate::client::{CLASSIC_TIMEOUT, NATIVE_TIMEOUT, Unreached, Wire};
use crate::codec::OwnedBody;
use crate::error::{CallError, Reason};
use crate::limits;
use crate::protocol::NoError;

impl Client {
    /// Sends a message and waits for what comes back.
    pub(super) fn exchange(
        &mut self,
        message: Result<Message, Reason>,
    ) -> Result<OwnedBody, Unanswered> {
        let here = |error: CallError<NoError>| Err(Unanswered::Here(error));
        let message = match message.and_then(|message| self.check().map(|()| message)) {
            Ok(message) => message,
            Err(reason) => return here(CallError::NotSent(reason)),
        };
        let deadline = self.deadline(message.timeout);
        let is_only = self.target.place.is_one_connection();
        loop {
            let (line, is_new) = match self.reach(deadline) {
                Ok(reached) => reached,
                Err(error) => return here(error.into()),
            };
            match line {
                Line::Native(connection) => {
                    let Message { mtype, name, way, .. } = message;
                    if connection.differs(mtype) {
                        return here(CallError::NotSent(Reason::SchemaMismatch { mtype, name }));
                    }
                    if let Some(outcome) = connection.send(&message, deadline) {
                        return call::ended(outcome, mtype, name, way, is_only);
                    }
                }
                Line::Classic(connection) => match connection.send(&message, deadline) {
                    Sent::Acked(claimed) => {
                        self.target.id = claimed.or(self.target.id);
                        return Ok(OwnedBody::default());
                    }
                    Sent::Failed(error) => return here(error),
                    Sent::Unsent => {}
                },
            }
            // The server has closed it since it was looked at, and will not handle half a message.
            let line = self.line.take();
            self.part(line, deadline);
            if is_new {
                return here(CallError::NotSent(Reason::Disconnected));
            }
        }
    }

    /// A connection that carries messages, and whether it is a new one.
    fn reach(&mut self, deadline: Instant) -> Result<(&mut Line, bool), Unreached> {
        let mut line = self.line.take();
        let is_new = !line.as_mut().is_some_and(Line::is_open);
        let line = match line {
            Some(line) if !is_new => line,
            line => {
                self.part(line, deadline);
                self.target.dial(deadline)?
            }
        };
        self.wire = line.wire();
        Ok((self.line.insert(line), is_new))
    }

    /// Another connection takes the place of this one.
    fn part(&mut self, line: Option<Line>, deadline: Instant) {
        if let Some(Line::Native(mut connection)) = line {
            self.in_doubt |= connection.leaves_doubt(deadline);
        }
    }

    pub(super) fn deadline(&self, declared: Option<Duration>) -> Instant {
        let default = match self.wire {
            Wire::Native => NATIVE_TIMEOUT,
            Wire::Classic => CLASSIC_TIMEOUT,
        };
        let time = self.given.or(declared).or(self.timeout).unwrap_or(default);
        limits::end(Instant::now(), time)
    }

    pub(super) fn check(&self) -> Result<(), Reason> {
        if self.process.is_forked() { Err(Reason::Forked) } else { Ok(()) }
    }
}
