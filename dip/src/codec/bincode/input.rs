//! The bytes of a body, with what reading them may cost.
//!
//! Most of it is read here, not by bincode: its errors are wide, and integers near the end of a body
//! take it a longer way.

use std::slice;

use bincode::config::{Configuration, standard};
use bincode::de::read::{BorrowReader, Reader};
use bincode::de::{Decode, Decoder, DecoderImpl};
use bincode::error::DecodeError as Malformed;

use super::output::{EIGHT_BYTES, FOUR_BYTES, TWO_BYTES};
use crate::codec::{DecodeError, DecodeLimits, utf8};
use crate::value::Fault;

/// The bytes not read yet: of an iterator only the front moves.
struct Rest<'de>(slice::Iter<'de, u8>);

impl<'de> Rest<'de> {
    #[inline]
    fn take(&mut self, len: usize) -> Option<&'de [u8]> {
        let front = self.0.as_slice().get(..len)?;
        self.skip(len);
        Some(front)
    }

    #[inline]
    fn take_array<const N: usize>(&mut self) -> Option<&'de [u8; N]> {
        let front = self.0.as_slice().first_chunk()?;
        self.skip(N);
        Some(front)
    }

    /// Only the front is written, not also the end as it was.
    #[inline]
    fn skip(&mut self, len: usize) {
        if len > 0 {
            _ = self.0.nth(len - 1);
        }
    }
}

impl<'de> BorrowReader<'de> for Rest<'de> {
    #[inline]
    fn take_bytes(&mut self, len: usize) -> Result<&'de [u8], Malformed> {
        self.take(len).ok_or_else(|| Malformed::UnexpectedEnd { additional: len - self.0.len() })
    }
}

impl Reader for Rest<'_> {
    #[inline]
    fn read(&mut self, bytes: &mut [u8]) -> Result<(), Malformed> {
        bytes.copy_from_slice(self.take_bytes(bytes.len())?);
        Ok(())
    }

    #[inline]
    fn peek_read(&mut self, n: usize) -> Option<&[u8]> {
        self.0.as_slice().get(..n)
    }

    #[inline]
    fn consume(&mut self, n: usize) {
        self.skip(n);
    }
}

/// The body, and what reading it may still cost.
pub(super) struct Input<'de> {
    decoder: DecoderImpl<Rest<'de>, Configuration, ()>,
    limits: &'de DecodeLimits,
    spent: usize,
}

impl<'de> Input<'de> {
    #[inline]
    pub(super) fn new(bytes: &'de [u8], limits: &'de DecodeLimits) -> Self {
        let decoder = DecoderImpl::new(Rest(bytes.iter()), standard(), ());
        Self { decoder, limits, spent: 0 }
    }

    #[inline]
    pub(super) fn max_depth(&self) -> usize {
        self.limits.depth
    }

    /// What was charged so far.
    #[inline]
    pub(super) fn spent(&self) -> usize {
        self.spent
    }

    #[inline]
    pub(super) fn rest(&mut self) -> &'de [u8] {
        self.decoder.reader().0.as_slice()
    }

    /// What few messages hold, by bincode itself.
    pub(super) fn scalar<T: Decode<()>>(&mut self) -> Result<T, Fault> {
        T::decode(&mut self.decoder).map_err(|error| malformed(&error))
    }

    /// An unsigned integer, no wider than the tag `widest` says.
    #[inline]
    pub(super) fn unsigned(&mut self, widest: u8) -> Result<u64, Fault> {
        match self.decoder.reader().0.next() {
            Some(&n) if n < TWO_BYTES => Ok(n.into()),
            Some(&tag) => self.wide(tag, widest).ok_or_else(|| no_integer(tag, widest)),
            None => Err(cut()),
        }
    }

    /// An unsigned integer of no more than 32 bits: of these, few that are written are small.
    #[inline]
    pub(super) fn narrow(&mut self) -> Result<u32, Fault> {
        let rest = self.decoder.reader();
        if let &[FOUR_BYTES, a, b, c, d, ..] = rest.0.as_slice() {
            rest.skip(5);
            return Ok(u32::from_le_bytes([a, b, c, d]));
        }
        Ok(self.unsigned(FOUR_BYTES)? as u32)
    }

    #[inline]
    fn wide(&mut self, tag: u8, widest: u8) -> Option<u64> {
        let rest = self.decoder.reader();
        Some(match tag {
            _ if tag > widest => return None,
            TWO_BYTES => u16::from_le_bytes(*rest.take_array()?).into(),
            FOUR_BYTES => u32::from_le_bytes(*rest.take_array()?).into(),
            _ => u64::from_le_bytes(*rest.take_array()?),
        })
    }

    /// The zigzag of numbers of either sign undone.
    #[inline]
    pub(super) fn signed(&mut self, widest: u8) -> Result<i64, Fault> {
        let n = self.unsigned(widest)?;
        Ok((n >> 1) as i64 ^ -((n & 1) as i64))
    }

    #[inline]
    pub(super) fn fixed_width<const N: usize>(&mut self) -> Result<&'de [u8; N], Fault> {
        self.decoder.reader().take_array().ok_or_else(cut)
    }

    #[inline]
    fn length(&mut self) -> Result<usize, Fault> {
        let len = self.unsigned(EIGHT_BYTES)?;
        usize::try_from(len).map_err(|_| refused("a length is larger than any memory"))
    }

    #[inline]
    pub(super) fn bytes(&mut self) -> Result<&'de [u8], Fault> {
        let len = self.length()?;
        let bytes = self.decoder.reader().take(len).ok_or_else(cut)?;
        self.charge(len)?;
        Ok(bytes)
    }

    #[inline]
    pub(super) fn text(&mut self) -> Result<&'de str, Fault> {
        utf8::text(self.bytes()?).map_err(|error| Fault::of(&error))
    }

    #[inline]
    pub(super) fn string(&mut self) -> Result<String, Fault> {
        utf8::owned(self.bytes()?).map_err(|error| Fault::of(&error))
    }

    /// How many elements follow. One byte is charged for each at once, so that no claim outlasts the
    /// limit, not even one for elements of no size.
    #[inline]
    pub(super) fn len(&mut self) -> Result<usize, Fault> {
        let len = self.length()?;
        self.charge(len)?;
        Ok(len)
    }

    /// Counts memory that a value is about to take.
    #[inline]
    pub(super) fn charge(&mut self, bytes: usize) -> Result<(), Fault> {
        let limit = self.limits.decoded_size;
        match self.spent.checked_add(bytes).filter(|spent| *spent <= limit) {
            Some(spent) => {
                self.spent = spent;
                Ok(())
            }
            None => Err(too_large(limit)),
        }
    }
}

#[cold]
#[inline(never)]
fn too_large(limit: usize) -> Fault {
    Fault::of(&DecodeError::too_large(limit))
}

#[cold]
fn malformed(error: &Malformed) -> Fault {
    match error {
        Malformed::UnexpectedEnd { .. } => cut(),
        Malformed::InvalidIntegerType { .. } => refused("an integer is too large for its type"),
        Malformed::InvalidBooleanValue(_) => refused("a boolean is neither 0 nor 1"),
        Malformed::InvalidCharEncoding(_) => refused("a character is no Unicode scalar value"),
        _ => refused("the body is no bincode"),
    }
}

#[cold]
#[inline(never)]
fn no_integer(tag: u8, widest: u8) -> Fault {
    if tag > widest { refused("an integer is too large for its type") } else { cut() }
}

#[cold]
#[inline(never)]
fn cut() -> Fault {
    refused("the body ends inside a value")
}

#[cold]
#[inline(never)]
pub(super) fn refused(text: &'static str) -> Fault {
    Fault::of(&DecodeError::new(text))
}
