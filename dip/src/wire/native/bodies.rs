//! The bodies that dip itself fills: errors, ends of streams, credit, goodbyes.

use super::Malformed;

/// The body of an ERROR: why a call has no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure<'a> {
    pub(crate) code: u16,
    /// 0 no, 1 maybe, 2 yes.
    pub(crate) handled: u8,
    pub(crate) text: &'a str,
    /// The application's error in bincode, if the code says so.
    pub(crate) detail: &'a [u8],
}

impl<'a> Failure<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let cut = Malformed("an error that is cut");
        let (&[c0, c1, handled, l0, l1], rest) = body.split_first_chunk::<5>().ok_or(cut)?;
        if handled > 2 {
            return Err(Malformed("an error that neither was handled nor was not"));
        }
        let (text, detail) =
            rest.split_at_checked(u16::from_be_bytes([l0, l1]).into()).ok_or(cut)?;
        let text =
            str::from_utf8(text).map_err(|_| Malformed("an error whose text is not UTF-8"))?;
        Ok(Self { code: u16::from_be_bytes([c0, c1]), handled, text, detail })
    }

    /// Appends the body; the text is cut at what a `u16` can say.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let text = &self.text[..self.text.floor_char_boundary(u16::MAX.into())];
        out.extend_from_slice(&self.code.to_be_bytes());
        out.push(self.handled);
        out.extend_from_slice(&(text.len() as u16).to_be_bytes());
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(self.detail);
    }
}

/// The body of an END: how a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End<'a> {
    /// With a final value, or with nothing.
    Done(&'a [u8]),
    Failed(Failure<'a>),
}

#[cfg_attr(not(test), expect(dead_code, reason = "frozen with the wire; there are no streams yet"))]
impl<'a> End<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        match body.split_first() {
            Some((0, value)) => Ok(Self::Done(value)),
            Some((1, failure)) => Failure::parse(failure).map(Self::Failed),
            _ => Err(Malformed("an end without a status")),
        }
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Done(value) => {
                out.push(0);
                out.extend_from_slice(value);
            }
            Self::Failed(failure) => {
                out.push(1);
                failure.encode(out);
            }
        }
    }
}

/// What a CREDIT gives back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum CreditKind {
    /// Units of one-way messages.
    Notify = 1,
    /// Units of the items of a stream.
    Stream = 2,
    /// Bytes of long bodies.
    Body = 3,
}

/// The body of a CREDIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Credit {
    pub(crate) kind: CreditKind,
    pub(crate) amount: u32,
}

impl Credit {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let &[kind, a, b, c, d] = body else {
            return Err(Malformed("a credit of the wrong length"));
        };
        let kind = match kind {
            1 => CreditKind::Notify,
            2 => CreditKind::Stream,
            3 => CreditKind::Body,
            _ => return Err(Malformed("a credit of unknown kind")),
        };
        Ok(Self { kind, amount: u32::from_be_bytes([a, b, c, d]) })
    }

    pub(crate) fn encode(self) -> [u8; 5] {
        let [a, b, c, d] = self.amount.to_be_bytes();
        [self.kind as u8, a, b, c, d]
    }
}

/// The body of a GOAWAY: no more requests are taken. The reason is one of the codes of an ERROR, or 0
/// for the last word of a side: what it has not answered by then it has not handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Goaway<'a> {
    pub(crate) reason: u16,
    pub(crate) text: &'a str,
}

impl<'a> Goaway<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let (&[a, b], text) =
            body.split_first_chunk::<2>().ok_or(Malformed("a goodbye without a reason"))?;
        let text =
            str::from_utf8(text).map_err(|_| Malformed("a goodbye whose text is not UTF-8"))?;
        Ok(Self { reason: u16::from_be_bytes([a, b]), text })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.reason.to_be_bytes());
        out.extend_from_slice(self.text.as_bytes());
    }
}
