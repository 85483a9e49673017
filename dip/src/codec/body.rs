//! The bytes of one message, to read from and to append to.

use std::fmt;
use std::io;
use std::ops::Deref;

use bytes::Bytes;

use super::{DecodeError, EncodeError};

/// The received bytes of one message, read from the front.
pub struct Body<'a>(Source<'a>);

enum Source<'a> {
    Borrowed(&'a [u8]),
    Shared(Bytes),
}

impl Body<'_> {
    /// What is left, as owned bytes; no copy when the body arrived in a buffer of its own.
    pub fn into_bytes(self) -> Bytes {
        match self.0 {
            Source::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
            Source::Shared(bytes) => bytes,
        }
    }

    /// Takes the first `n` bytes off.
    ///
    /// # Errors
    ///
    /// When fewer are left.
    pub fn split_to(&mut self, n: usize) -> Result<Self, DecodeError> {
        if n > self.len() {
            return Err(DecodeError::too_short(n, self.len()));
        }
        Ok(Self(match &mut self.0 {
            Source::Borrowed(bytes) => {
                let (front, rest) = bytes.split_at(n);
                *bytes = rest;
                Source::Borrowed(front)
            }
            Source::Shared(bytes) => Source::Shared(bytes.split_to(n)),
        }))
    }

    /// Takes the first `N` bytes off, for `u32::from_be_bytes` and the like.
    ///
    /// # Errors
    ///
    /// When fewer are left.
    pub fn read_array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let front = self.split_to(N)?;
        let mut array = [0; N];
        array.copy_from_slice(&front);
        Ok(array)
    }

    /// Checks that nothing is left over.
    ///
    /// # Errors
    ///
    /// When bytes are left behind the value.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.len() {
            0 => Ok(()),
            n => Err(DecodeError::new(format!("{n} bytes are left behind the value"))),
        }
    }
}

impl Deref for Body<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Source::Borrowed(bytes) => bytes,
            Source::Shared(bytes) => bytes,
        }
    }
}

impl<'a> From<&'a [u8]> for Body<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(Source::Borrowed(bytes))
    }
}

impl From<Bytes> for Body<'_> {
    fn from(bytes: Bytes) -> Self {
        Self(Source::Shared(bytes))
    }
}

/// The length only: bodies are not for logs.
impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.len())
    }
}

/// A body under construction: an append-only view of an output buffer that knows its limit.
///
/// Bytes past the limit are counted, not kept; the message is then refused with an error that names
/// its size and the limit.
pub struct BodyMut<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    limit: usize,
    /// Bytes that did not fit.
    excess: usize,
}

impl<'a> BodyMut<'a> {
    /// A body of at most `limit` bytes, appended to `out`.
    pub fn new(out: &'a mut Vec<u8>, limit: usize) -> Self {
        let start = out.len();
        Self { out, start, limit, excess: 0 }
    }

    /// Appends bytes.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        if self.excess == 0 && bytes.len() <= self.limit - (self.out.len() - self.start) {
            self.out.extend_from_slice(bytes);
        } else {
            self.excess = self.excess.saturating_add(bytes.len());
        }
    }

    /// Appends bytes that the caller can give away.
    #[expect(clippy::needless_pass_by_value, reason = "the buffer may keep large ones uncopied")]
    pub fn put_bytes(&mut self, bytes: Bytes) {
        self.extend_from_slice(&bytes);
    }

    /// Bytes appended so far, those past the limit included.
    pub fn len(&self) -> usize {
        self.out.len() - self.start + self.excess
    }

    /// Whether nothing was appended yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends what `write` appends, behind its length (a big-endian `u32`).
    ///
    /// # Errors
    ///
    /// Those of `write`, and a part longer than a `u32` can say.
    pub fn prefixed(
        &mut self,
        write: impl FnOnce(&mut BodyMut<'_>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.extend_from_slice(&[0; 4]);
        let (at, before) = (self.out.len(), self.len());
        write(self)?;
        let len = u32::try_from(self.len() - before)
            .map_err(|_| EncodeError::new("a part is longer than 4 GiB"))?;
        if self.excess == 0 {
            self.out[at - 4..at].copy_from_slice(&len.to_be_bytes());
        }
        Ok(())
    }

    /// Ends the body.
    ///
    /// # Errors
    ///
    /// When it is over its limit.
    pub fn finish(self) -> Result<(), EncodeError> {
        let (len, limit) = (self.len(), self.limit);
        if self.excess == 0 {
            return Ok(());
        }
        Err(EncodeError::named(
            "ValueError",
            format!("the body has {len} bytes, the limit is {limit}"),
        ))
    }
}

impl io::Write for BodyMut<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for BodyMut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BodyMut({} of at most {} bytes)", self.len(), self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_past_the_end_is_an_error_and_takes_nothing() {
        let mut body = Body::from(&b"abc"[..]);
        assert_eq!(
            body.read_array::<5>().unwrap_err().text(),
            "Not enough bytes to read, expect: 5, got: 3"
        );
        assert_eq!(&*body, b"abc");
        assert_eq!(&*body.split_to(2).unwrap(), b"ab");
        assert_eq!(body.finish().unwrap_err().text(), "1 bytes are left behind the value");
    }

    #[test]
    fn shared_bytes_are_not_copied() {
        let bytes = Bytes::from(vec![7; 100]);
        let at = bytes.as_ptr();
        assert_eq!(Body::from(bytes).into_bytes().as_ptr(), at);
    }

    #[test]
    fn a_part_is_prefixed_by_its_length() {
        let mut out = vec![9];
        let mut body = BodyMut::new(&mut out, 100);
        body.prefixed(|part| {
            part.extend_from_slice(b"hi");
            Ok(())
        })
        .unwrap();
        body.finish().unwrap();
        assert_eq!(out, b"\x09\0\0\0\x02hi");
    }

    #[test]
    fn a_body_over_its_limit_is_refused_with_both_sizes() {
        let mut out = Vec::new();
        let mut body = BodyMut::new(&mut out, 4);
        body.extend_from_slice(b"abcde");
        body.extend_from_slice(b"f");
        assert_eq!(body.finish().unwrap_err().text(), "the body has 6 bytes, the limit is 4");
        assert!(out.is_empty());
    }
}
