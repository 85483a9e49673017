//! A frame: the length of its body in four bytes, what it is in one, the body.

use std::ops::Range;

use driver::{Message, Result};

pub(crate) const HEADER: usize = 5;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The small message, which comes back.
    Call,
    /// A body of bytes, which comes back.
    Echo,
    /// The small message, of which nothing comes back.
    OneWay,
    /// How many one-way messages there were comes back.
    Count,
}

/// A whole frame among other bytes.
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    pub(crate) all: Range<usize>,
}

impl Frame {
    /// The one that begins at `start`, or the length of which there is not enough.
    #[inline]
    pub(crate) fn at(start: usize, bytes: &[u8]) -> Result<Self, usize> {
        let Some((header, _)) = bytes[start..].split_first_chunk::<HEADER>() else {
            return Err(HEADER);
        };
        let [l0, l1, l2, l3, kind] = *header;
        let length = HEADER + u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        if bytes.len() - start < length {
            return Err(length);
        }
        let kind = match kind {
            0 => Kind::Call,
            1 => Kind::Echo,
            2 => Kind::OneWay,
            _ => Kind::Count,
        };
        Ok(Self { kind, all: start..start + length })
    }

    pub(crate) fn body(&self) -> Range<usize> {
        self.all.start + HEADER..self.all.end
    }
}

pub(crate) fn header(kind: Kind, length: usize) -> [u8; HEADER] {
    let [l0, l1, l2, l3] = (length as u32).to_le_bytes();
    [l0, l1, l2, l3, kind as u8]
}

pub(crate) fn put(kind: Kind, body: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&header(kind, body.len()));
    out.extend_from_slice(body);
}

/// More than the small message takes.
const ROOM: usize = 128;

/// Writes a frame with the message in bincode.
#[inline]
pub(crate) fn put_message(kind: Kind, message: &Message, out: &mut Vec<u8>) -> Result<()> {
    let start = out.len();
    out.resize(start + HEADER + ROOM, 0);
    let body = &mut out[start + HEADER..];
    let length = bincode::serde::encode_into_slice(message, body, bincode::config::standard())?;
    out[start..start + HEADER].copy_from_slice(&header(kind, length));
    out.truncate(start + HEADER + length);
    Ok(())
}

#[inline]
pub(crate) fn message(body: &[u8]) -> Result<Message> {
    Ok(bincode::serde::decode_from_slice(body, bincode::config::standard())?.0)
}
