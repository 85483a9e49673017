//! How a native connection begins: a HELLO, a WELCOME, and what both sides make of them.
//!
//! A client cannot know what listens at an address. Its HELLO is a classic frame of an unknown type,
//! so a classic server answers it with an error text that [`Probe`] knows word for word, and the
//! connection goes on as a classic one.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use crate::reply::Rejection;
use crate::wire::classic::ACK;
use crate::wire::hello::{self, Fields, Hello, Refusal, Status, VERSIONS, Welcome};
use crate::wire::native::Malformed;

/// A server that awaits the HELLO of a client whose first byte was [`Hello::FIRST`].
#[derive(Debug, Default)]
pub(crate) struct Listening {
    frame: Vec<u8>,
}

/// What a server has of a HELLO.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Not all of it.
    More,
    /// All of it. So many of the bytes that came last belonged to it; native frames follow.
    Hello { hello: Box<Hello>, used: usize },
    /// One that cannot be obeyed. These bytes, a WELCOME, are written; then the connection is closed.
    Refuse(Vec<u8>),
}

impl Listening {
    /// These bytes came. A HELLO is read to its end before it is refused, so that the client is not
    /// reset while it writes, unless it is too long or no HELLO at all.
    pub(crate) fn received(&mut self, bytes: &[u8]) -> Step {
        match self.take(bytes) {
            Ok(None) => Step::More,
            Ok(Some(used)) => match Hello::parse(&self.frame) {
                Ok(hello) => Step::Hello { hello: Box::new(hello), used },
                Err(refusal) => Step::Refuse(refusal.welcome().encode()),
            },
            Err(malformed) => Step::Refuse(Refusal::from(malformed).welcome().encode()),
        }
    }

    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "frozen with the wire; tokens are not checked yet")
    )]
    /// What has come of the HELLO, byte for byte: a proof is over that.
    pub(crate) fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// How many of the bytes belong to the HELLO, once it is whole.
    fn take(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        let used = self.fill(bytes, hello::HEADER);
        let Some(whole) = Hello::extent(&self.frame)? else { return Ok(None) };
        let used = used + self.fill(&bytes[used..], whole);
        Ok((self.frame.len() == whole).then_some(used))
    }

    /// Room grows with the bytes that came, not with the length that was announced.
    fn fill(&mut self, bytes: &[u8], whole: usize) -> usize {
        let taken = bytes.len().min(whole.saturating_sub(self.frame.len()));
        let len = self.frame.len() + taken;
        if len > self.frame.capacity() {
            let room = len.max(2 * self.frame.capacity()).min(whole);
            self.frame.reserve_exact(room - self.frame.len());
        }
        self.frame.extend_from_slice(&bytes[..taken]);
        taken
    }
}

/// A client that has sent its HELLO.
#[derive(Debug)]
pub(crate) struct Probe {
    /// What a classic server answers to a HELLO.
    classic: String,
}

/// What a client's HELLO was answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The answer is not all there.
    More,
    /// Native frames follow behind so many bytes.
    Welcome { welcome: Box<Welcome>, used: usize },
    /// The classic wire is spoken here; the next frame is the first of a classic connection.
    Classic,
    /// A classic server that takes messages of type 5 has acknowledged the HELLO as one. Only
    /// `.wire(Wire::Classic)` helps.
    AckedByMistake,
    /// The server closes the connection, for this reason.
    Refused(Status, String),
    /// Nothing that could be obeyed.
    NotDip(Malformed),
}

impl Probe {
    pub(crate) fn new() -> Self {
        Self { classic: Rejection::unknown_type(Hello::FIRST).to_string() }
    }

    /// `answer` is all that the server has sent so far.
    pub(crate) fn look(&self, answer: &[u8]) -> Heard {
        let classic = self.classic.as_bytes();
        match answer {
            [Welcome::FIRST, ..] => welcome(answer).unwrap_or_else(Heard::NotDip),
            ACK => Heard::AckedByMistake,
            _ if answer == classic => Heard::Classic,
            _ if classic.starts_with(answer) || ACK.starts_with(answer) => Heard::More,
            _ => Heard::NotDip(Malformed("an answer that belongs to neither wire")),
        }
    }
}

fn welcome(answer: &[u8]) -> Result<Heard, Malformed> {
    let whole = Welcome::extent(answer)?.and_then(|len| answer.get(..len));
    let Some(frame) = whole else { return Ok(Heard::More) };
    let welcome = Welcome::parse(frame)?;
    if welcome.status != Status::Ok {
        return Ok(Heard::Refused(welcome.status, welcome.fields.reason.unwrap_or_default()));
    }
    if !VERSIONS.contains(&welcome.version) {
        return Err(Malformed("a version that was not offered"));
    }
    Ok(Heard::Welcome { welcome: Box::new(welcome), used: frame.len() })
}

/// What follows from what both sides said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Agreement {
    /// What both can do.
    pub(crate) features: u64,
    /// The numbers of the types that the two sides know differently, ascending.
    pub(crate) mismatched: Vec<u32>,
}

/// Schemas are compared if both sides computed them in one way, and of types that both know.
pub(crate) fn agree(ours: &Fields, theirs: &Fields) -> Agreement {
    let is_comparable =
        ours.schema_algorithm != 0 && ours.schema_algorithm == theirs.schema_algorithm;
    let mismatched =
        if is_comparable { mismatched(&ours.types, &theirs.types) } else { Vec::new() };
    Agreement { features: ours.features & theirs.features, mismatched }
}

/// Both lists ascend.
fn mismatched(mut ours: &[(u32, u64)], mut theirs: &[(u32, u64)]) -> Vec<u32> {
    let mut mismatched = Vec::new();
    while let ([(our, our_schema), our_rest @ ..], [(their, their_schema), their_rest @ ..]) =
        (ours, theirs)
    {
        let order = our.cmp(their);
        if order.is_eq() && our_schema != their_schema {
            mismatched.push(*our);
        }
        if order != Ordering::Greater {
            ours = our_rest;
        }
        if order != Ordering::Less {
            theirs = their_rest;
        }
    }
    mismatched
}
