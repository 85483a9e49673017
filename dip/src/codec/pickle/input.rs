//! The bytes of a pickle, taken from the front.

use super::invalid;
use crate::codec::DecodeError;

/// What is left of a pickle. Whatever is taken out borrows from the body: an announced length costs
/// nothing until its bytes are there.
pub(super) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next instruction.
    pub(super) fn code(&mut self) -> Result<u8, DecodeError> {
        let (&code, rest) = self
            .0
            .split_first()
            .ok_or_else(|| DecodeError::named("EOFError", "Ran out of input"))?;
        self.0 = rest;
        Ok(code)
    }

    /// The next `len` bytes.
    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (front, rest) = self.0.split_at_checked(len).ok_or_else(truncated)?;
        self.0 = rest;
        Ok(front)
    }

    /// The next line, without its end.
    pub(super) fn line(&mut self) -> Result<&'a [u8], DecodeError> {
        let end = self.0.iter().position(|&byte| byte == b'\n').ok_or_else(truncated)?;
        let line = &self.0[..end];
        self.0 = &self.0[end + 1..];
        Ok(line)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (front, rest) = self.0.split_first_chunk().ok_or_else(truncated)?;
        self.0 = rest;
        Ok(*front)
    }

    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, DecodeError> {
        self.array().map(i32::from_le_bytes)
    }

    /// The bytes behind a length of one byte.
    pub(super) fn short(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.u8()?;
        self.take(len.into())
    }

    /// The bytes behind a length of four bytes.
    pub(super) fn long(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.u32()?;
        self.take(usize::try_from(len).map_err(|_| truncated())?)
    }

    /// The bytes behind a length of eight bytes.
    pub(super) fn huge(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.array().map(u64::from_le_bytes)?;
        self.take(usize::try_from(len).map_err(|_| truncated())?)
    }

    /// The length of `what` as a signed number, as old protocols wrote it.
    pub(super) fn signed_len(&mut self, what: &str) -> Result<usize, DecodeError> {
        usize::try_from(self.i32()?)
            .map_err(|_| invalid(format!("{what} pickle has negative byte count")))
    }

    /// Checks that a frame is there as a whole. Frames only help Python to read files; their ends
    /// mean nothing.
    pub(super) fn frame(&mut self) -> Result<(), DecodeError> {
        let len = self.array().map(u64::from_le_bytes)?;
        match usize::try_from(len) {
            Ok(len) if len <= self.0.len() => Ok(()),
            _ => Err(truncated()),
        }
    }
}

fn truncated() -> DecodeError {
    invalid("pickle data was truncated")
}
