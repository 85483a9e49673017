//! The native wire: frames of many calls, both ways, on one connection. Integers are big-endian.
//!
//! ```text
//!  0       1       2           4               8               12              16
//!  kind u8 flags u8 meta_len u16 call_id u32     mtype u32       body_len u32    | metadata | body
//! ```
//!
//! `mtype` stands in REQUEST and NOTIFY and is 0 elsewhere. `body_len` counts the body bytes of this
//! frame. Of the flags, bit 0 is MORE; the others are 0. Metadata, on a body's first frame only, is a
//! row of `tag u8 | len u16 | value`; one with bit 7 set must be understood.
//!
//! Worked example, `Add { a: 1, b: 2 }` as call 1 with a deadline of 2 s:
//! `01 00 0007 00000001 00000041 00000002 | 03 0004 000007d0 | 02 04`.

mod bodies;
pub(crate) mod code;
mod metadata;
mod plain;

#[cfg(test)]
pub(crate) use bodies::End;
pub(crate) use bodies::{Credit, CreditKind, Failure, Goaway};
pub(crate) use metadata::{MAX_METADATA, Metadata, Trace};
pub(crate) use plain::{Plain, PlainKind};

/// Bytes in front of the metadata.
pub(crate) const HEADER: usize = 16;

/// More frames of the same body follow.
pub(crate) const MORE: u8 = 1;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Kind {
    Request = 0x01,
    Reply = 0x02,
    Error = 0x03,
    Notify = 0x04,
    Item = 0x05,
    End = 0x06,
    Credit = 0x07,
    Cancel = 0x08,
    Stop = 0x09,
    Ping = 0x0a,
    Pong = 0x0b,
    Goaway = 0x0c,
    Auth = 0x0d,
}

impl Kind {
    pub(crate) const ALL: [Self; 13] = [
        Self::Request,
        Self::Reply,
        Self::Error,
        Self::Notify,
        Self::Item,
        Self::End,
        Self::Credit,
        Self::Cancel,
        Self::Stop,
        Self::Ping,
        Self::Pong,
        Self::Goaway,
        Self::Auth,
    ];

    fn of(byte: u8) -> Option<Self> {
        // Their numbers begin at 1 and have no gaps.
        Self::ALL.get(usize::from(byte).wrapping_sub(1)).copied()
    }

    /// Whether a body of this kind may come in pieces.
    fn has_pieces(self) -> bool {
        use Kind::{End, Error, Item, Notify, Reply, Request};
        matches!(self, Request | Reply | Error | Notify | Item | End)
    }
}

/// The first 16 bytes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// `None`: of a later version, and to be skipped.
    pub(crate) kind: Option<Kind>,
    /// More frames of the same body follow.
    pub(crate) more: bool,
    pub(crate) metadata: u16,
    pub(crate) call: u32,
    pub(crate) mtype: u32,
    pub(crate) body: u32,
}

/// Bytes that no peer of this version sends: the end of the connection. The text is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

impl Header {
    /// The header of a frame of this kind without metadata and without a body.
    pub(crate) fn new(kind: Kind, call: u32) -> Self {
        Self { kind: Some(kind), more: false, metadata: 0, call, mtype: 0, body: 0 }
    }

    pub(crate) fn parse(bytes: [u8; HEADER]) -> Result<Self, Malformed> {
        let [kind, flags, m0, m1, c0, c1, c2, c3, t0, t1, t2, t3, b0, b1, b2, b3] = bytes;
        let known = Kind::of(kind);
        let header = Self {
            kind: known,
            more: flags & MORE != 0,
            metadata: u16::from_be_bytes([m0, m1]),
            call: u32::from_be_bytes([c0, c1, c2, c3]),
            mtype: u32::from_be_bytes([t0, t1, t2, t3]),
            body: u32::from_be_bytes([b0, b1, b2, b3]),
        };
        let Some(known) = known else {
            let skipped = kind & 0x80 != 0;
            return if skipped { Ok(header) } else { Err(Malformed("a frame of unknown kind")) };
        };
        if flags & !MORE != 0 {
            return Err(Malformed("a frame with unknown flags"));
        }
        if header.more && !known.has_pieces() {
            return Err(Malformed("a frame of a kind that does not come in pieces, in pieces"));
        }
        if header.mtype != 0 && !matches!(known, Kind::Request | Kind::Notify) {
            return Err(Malformed("a message type in a frame that carries none"));
        }
        if usize::from(header.metadata) > MAX_METADATA {
            return Err(Malformed("metadata of more than 1 KiB"));
        }
        Ok(header)
    }

    pub(crate) fn encode(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        // What this version does not know it does not send.
        bytes[0] = self.kind.map_or(0x80, |kind| kind as u8);
        bytes[1] = if self.more { MORE } else { 0 };
        bytes[2..4].copy_from_slice(&self.metadata.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.call.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.mtype.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.body.to_be_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests;
