//! The bytes of one message, to read from.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;

use super::DecodeError;

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
    #[inline]
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.len() {
            0 => Ok(()),
            n => Err(left_behind(n)),
        }
    }
}

#[cold]
fn left_behind(n: usize) -> DecodeError {
    DecodeError::new(format!("{n} bytes are left behind the value"))
}

impl Deref for Body<'_> {
    type Target = [u8];

    #[inline]
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
}
