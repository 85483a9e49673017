//! A body that is on its own: neither in an input nor in an output.

use std::ops::Deref;

use bytes::Bytes;

use super::{Body, Encoded};
use crate::buffer::Buffer;

/// An encoded body.
#[derive(Clone, Debug)]
pub(crate) enum OwnedBody {
    Small(Buffer),
    /// In a box, as few are, and this is passed on often.
    Shared(Box<Bytes>),
}

impl OwnedBody {
    /// What was encoded into an empty buffer.
    pub(crate) fn new(encoded: Encoded, buffer: Buffer) -> Self {
        match encoded {
            Encoded::Copied => Self::Small(buffer),
            Encoded::Shared(bytes) => Self::Shared(bytes),
        }
    }

    /// The same bytes; those that are shared are shared once more.
    pub(crate) fn body(&self) -> Body<'_> {
        match self {
            Self::Small(buffer) => Body::from(&buffer[..]),
            Self::Shared(bytes) => Bytes::clone(bytes).into(),
        }
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::Small(buffer) => Bytes::from(buffer.into_vec()),
            Self::Shared(bytes) => *bytes,
        }
    }
}

impl Deref for OwnedBody {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Small(buffer) => buffer,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl Default for OwnedBody {
    fn default() -> Self {
        Self::Small(Buffer::default())
    }
}

impl From<Bytes> for OwnedBody {
    fn from(bytes: Bytes) -> Self {
        Self::Shared(bytes.into())
    }
}

impl From<Buffer> for OwnedBody {
    fn from(buffer: Buffer) -> Self {
        Self::Small(buffer)
    }
}

impl PartialEq for OwnedBody {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for OwnedBody {}
