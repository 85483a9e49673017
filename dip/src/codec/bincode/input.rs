//! The bytes of a body, with what reading them may cost.

use bincode::config::{Configuration, standard};
use bincode::de::read::{BorrowReader, Reader};
use bincode::de::{BorrowDecode, Decode, Decoder, DecoderImpl};
use bincode::error::DecodeError as Malformed;

use crate::codec::{DecodeError, DecodeLimits, utf8};
use crate::value::Fault;

/// The bytes not read yet.
struct Rest<'de>(&'de [u8]);

impl<'de> BorrowReader<'de> for Rest<'de> {
    #[inline]
    fn take_bytes(&mut self, len: usize) -> Result<&'de [u8], Malformed> {
        let (front, rest) = self
            .0
            .split_at_checked(len)
            .ok_or_else(|| Malformed::UnexpectedEnd { additional: len - self.0.len() })?;
        self.0 = rest;
        Ok(front)
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
        self.0.get(..n)
    }

    #[inline]
    fn consume(&mut self, n: usize) {
        self.0 = self.0.get(n..).unwrap_or_default();
    }
}

/// The body, and what reading it may still cost.
pub(super) struct Input<'de> {
    decoder: DecoderImpl<Rest<'de>, Configuration, ()>,
    pub(super) max_depth: usize,
    limit: usize,
    /// Of `limit`, what is not used up.
    left: usize,
}

impl<'de> Input<'de> {
    pub(super) fn new(bytes: &'de [u8], limits: &DecodeLimits) -> Self {
        Self {
            decoder: DecoderImpl::new(Rest(bytes), standard(), ()),
            max_depth: limits.depth,
            limit: limits.decoded_size,
            left: limits.decoded_size,
        }
    }

    /// What was charged so far.
    pub(super) fn spent(&self) -> usize {
        self.limit - self.left
    }

    pub(super) fn rest(&mut self) -> &'de [u8] {
        self.decoder.reader().0
    }

    #[inline]
    pub(super) fn scalar<T: Decode<()>>(&mut self) -> Result<T, Fault> {
        T::decode(&mut self.decoder).map_err(|error| malformed(&error))
    }

    pub(super) fn bytes(&mut self) -> Result<&'de [u8], Fault> {
        let bytes = <&[u8]>::borrow_decode(&mut self.decoder).map_err(|error| malformed(&error))?;
        self.charge(bytes.len())?;
        Ok(bytes)
    }

    pub(super) fn text(&mut self) -> Result<&'de str, Fault> {
        utf8::text(self.bytes()?).map_err(|error| Fault::of(&error))
    }

    /// How many elements follow. One byte is charged for each at once, so that no claim outlasts the
    /// limit, not even one for elements of no size.
    pub(super) fn len(&mut self) -> Result<usize, Fault> {
        let len = self.scalar()?;
        self.charge(len)?;
        Ok(len)
    }

    /// Counts memory that a value is about to take.
    #[inline]
    pub(super) fn charge(&mut self, bytes: usize) -> Result<(), Fault> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(Fault::of(&DecodeError::too_large(self.limit))),
        }
    }
}

#[cold]
fn malformed(error: &Malformed) -> Fault {
    let text = match error {
        Malformed::UnexpectedEnd { .. } => "the body ends inside a value",
        Malformed::InvalidIntegerType { .. } => "an integer is too large for its type",
        Malformed::OutsideUsizeRange(_) => "a length is larger than any memory",
        Malformed::InvalidBooleanValue(_) => "a boolean is neither 0 nor 1",
        Malformed::InvalidCharEncoding(_) => "a character is no Unicode scalar value",
        _ => "the body is no bincode",
    };
    Fault::of(&DecodeError::new(text))
}
