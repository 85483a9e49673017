//! The heads that most frames have: whole messages and replies of which nothing more is said.

use super::{HEADER, Kind, metadata};

/// A frame as most are, up to its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plain {
    pub(crate) kind: PlainKind,
    /// Bytes in front of the body, and bytes of the body.
    pub(crate) head: usize,
    pub(crate) body: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlainKind {
    /// One-way, without metadata.
    Notice { mtype: u32 },
    /// A call that says how many milliseconds are left, at least 1, and nothing else.
    Request { call: u32, mtype: u32, left: u32 },
    /// Without metadata.
    Reply { call: u32 },
}

impl Plain {
    /// The head in front of these bytes, if it is there and such a one.
    #[inline]
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        const NOTICE: [u8; 4] = [Kind::Notify as u8, 0, 0, 0];
        const REQUEST: [u8; 4] = [Kind::Request as u8, 0, 0, metadata::TIMED as u8];
        const REPLY: [u8; 4] = [Kind::Reply as u8, 0, 0, 0];
        let (header, behind) = bytes.split_first_chunk::<HEADER>()?;
        let [k0, k1, k2, k3, c0, c1, c2, c3, t0, t1, t2, t3, b0, b1, b2, b3] = *header;
        let [call, mtype, body] =
            [[c0, c1, c2, c3], [t0, t1, t2, t3], [b0, b1, b2, b3]].map(u32::from_be_bytes);
        let (kind, head) = match [k0, k1, k2, k3] {
            NOTICE if call == 0 => (PlainKind::Notice { mtype }, HEADER),
            REPLY if mtype == 0 => (PlainKind::Reply { call }, HEADER),
            REQUEST => {
                let left = metadata::time_of(behind.first_chunk()?)?;
                (PlainKind::Request { call, mtype, left }, HEADER + metadata::TIMED)
            }
            _ => return None,
        };
        Some(Self { kind, head, body })
    }
}
