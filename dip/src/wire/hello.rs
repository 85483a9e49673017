//! The preface of the native wire: what each side accepts. Integers are big-endian.
//!
//! ```text
//! HELLO    05 | len u32 | 64 69 70 00 | min_version u8 | max_version u8 | 00 00 | fields     client
//! WELCOME  06 | len u32 | 64 69 70 00 | version u8     | status u8      | 00 00 | fields     server
//! field    tag u8 | len u32 | value
//! ```
//!
//! A HELLO is a classic frame of type 05, so that a classic server answers it. `len` counts what
//! is behind it, at most 256 KiB. The status is 0 ok, 1 no common version, 2 not authorised, 3 busy,
//! 4 malformed; behind any but 0 the server closes.
//!
//! | tag | field | value (default) |
//! |-----|-------|-----------------|
//! | 01 | LABEL | 16: a connection id, claimed (none) |
//! | 02 | INSTANCE | 16, random; required, but for a refusal |
//! | 03 | MAX_MESSAGE | u64, bytes of a whole body (16 MiB) |
//! | 04 | MAX_PIECE | u32, body bytes of one frame (256 KiB; at least 16 KiB) |
//! | 05 | MAX_CALLS | u16 at depth 0, u16 at each deeper depth, u8 the deepest (256, 64, 16); 0 is none |
//! | 06 | NOTIFY_WINDOW | u32 units (1024; 1 to 2³¹−1) |
//! | 07 | STREAM_WINDOW | u32 units (256; 1 to 2³¹−1) |
//! | 08 | BODY_WINDOW | u64 bytes (32 MiB; at least MAX_MESSAGE) |
//! | 09 | FEATURES | u64: bit 0 shared memory, reserved, 1 DURABLE_DEDUP, 2 PASSIVE (0) |
//! | 0a | TYPES | n × (mtype u32, schema u64), ascending, no mtype twice (none) |
//! | 0b | NONCE | 32 (none) |
//! | 0c | PROOF | 32, the last field (none) |
//! | 0d | REASON | UTF-8, at most 256 bytes (none) |
//! | 0e | APP | three times `len u8`, UTF-8: name, version, label; then pid u32 (none) |
//! | 0f | SCHEMA_ALGORITHM | u16 (0: none) |
//!
//! An unknown tag is skipped, one with bit 7 set refused; no tag comes twice. A sender leaves out
//! what has its default and writes the rest by tag, PROOF last. A refusal is not obeyed but told to
//! people, so unknown tags in it are all skipped.
//!
//! Worked example, a client that accepts the defaults and whose INSTANCE is 16 times `aa`:
//! `05 0000001d 64697000 01 01 0000 | 02 00000010 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa`.

mod app;
mod fields;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;

pub(crate) use app::App;
#[cfg(test)]
pub(crate) use fields::DURABLE_DEDUP;
pub(crate) use fields::Fields;

use super::native::{self, Malformed};

/// The versions of the native wire that this side speaks.
pub(crate) const VERSIONS: RangeInclusive<u8> = 1..=1;

/// Bytes in front of the fields.
pub(crate) const HEADER: usize = 13;

/// The largest length that a preface may announce, in bytes.
pub(crate) const MAX_LEN: usize = 256 << 10;

/// Bytes in front of what the length counts.
const PREFIX: usize = 5;

const MAGIC: [u8; 4] = *b"dip\0";

/// What a client says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) min_version: u8,
    pub(crate) max_version: u8,
    pub(crate) fields: Fields,
}

/// What a server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Welcome {
    /// The version of this connection; in a refusal, the highest that the server speaks.
    pub(crate) version: u8,
    pub(crate) status: Status,
    pub(crate) fields: Fields,
}

/// Whether a server takes the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    NoCommonVersion,
    NotAuthorised,
    Busy,
    Malformed,
    /// A refusal of a later version.
    Unknown(u8),
}

/// What one side accepts of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Bytes of a whole body.
    pub(crate) max_message: u64,
    /// Body bytes of one frame.
    pub(crate) max_piece: u32,
    /// Calls at once at depth 0, and at each deeper depth.
    pub(crate) calls: u16,
    pub(crate) nested_calls: u16,
    /// The deepest depth at which calls are taken.
    pub(crate) deepest: u8,
    /// Units of one-way messages.
    pub(crate) notify_window: u32,
    /// Units of each stream and direction.
    pub(crate) stream_window: u32,
    /// Bytes of bodies over 16 KiB.
    pub(crate) body_window: u64,
    /// Takes no requests and answers no pings.
    pub(crate) passive: bool,
}

impl Hello {
    /// The first byte of the native wire.
    pub(crate) const FIRST: u8 = 0x05;

    /// All versions that this side speaks.
    pub(crate) fn new(fields: Fields) -> Self {
        Self { min_version: *VERSIONS.start(), max_version: *VERSIONS.end(), fields }
    }

    /// Bytes of the whole HELLO that begins so, or `None` while that is not known.
    ///
    /// # Errors
    ///
    /// As soon as a byte is wrong.
    pub(crate) fn extent(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        extent(Self::FIRST, bytes)
    }

    /// # Errors
    ///
    /// The refusal that the client is to be sent. The version comes first: the fields of a later one
    /// may be unreadable.
    pub(crate) fn parse(frame: &[u8]) -> Result<Self, Refusal> {
        let (&[.., min_version, max_version, a, b], fields) = split(Self::FIRST, frame)?;
        if min_version > max_version {
            return Err(Malformed("a lowest version above the highest").into());
        }
        if min_version > *VERSIONS.end() || max_version < *VERSIONS.start() {
            return Err(Refusal::NO_COMMON_VERSION);
        }
        zeros([a, b])?;
        Ok(Self { min_version, max_version, fields: Fields::parse(fields, true)? })
    }

    /// The highest version that both sides speak.
    pub(crate) fn version(&self) -> u8 {
        self.max_version.min(*VERSIONS.end())
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        frame([Self::FIRST, self.min_version, self.max_version], &self.fields)
    }
}

impl Welcome {
    pub(crate) const FIRST: u8 = 0x06;

    pub(crate) fn refuse(status: Status, reason: impl Into<String>) -> Self {
        let fields = Fields { reason: Some(reason.into()), ..Fields::default() };
        Self { version: *VERSIONS.end(), status, fields }
    }

    /// Bytes of the whole WELCOME that begins so, or `None` while that is not known.
    ///
    /// # Errors
    ///
    /// As soon as a byte is wrong.
    pub(crate) fn extent(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        extent(Self::FIRST, bytes)
    }

    /// # Errors
    ///
    /// On a WELCOME that cannot be obeyed. A refusal is read even if it has fields of a later version.
    pub(crate) fn parse(frame: &[u8]) -> Result<Self, Malformed> {
        let (&[.., version, status, a, b], fields) = split(Self::FIRST, frame)?;
        zeros([a, b])?;
        let status = Status::from(status);
        let fields = Fields::parse(fields, status == Status::Ok)?;
        Ok(Self { version, status, fields })
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        frame([Self::FIRST, self.version, self.status.into()], &self.fields)
    }

    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "frozen with the wire; tokens are not checked yet")
    )]
    /// What the proof in this WELCOME is over: all in front of it, with the length as it was sent.
    pub(crate) fn unproven(frame: &[u8]) -> &[u8] {
        &frame[..frame.len().saturating_sub(fields::PROOF_LEN)]
    }
}

#[cfg_attr(
    not(test),
    expect(dead_code, reason = "frozen with the wire; tokens are not checked yet")
)]
/// The AUTH with this proof: the first frame of a client where a token is asked for.
pub(crate) fn auth(proof: &[u8; 32]) -> Vec<u8> {
    let header = native::Header { body: 32, ..native::Header::new(native::Kind::Auth, 0) };
    [&header.encode()[..], proof].concat()
}

/// Why a HELLO is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: Status,
    pub(crate) reason: &'static str,
}

impl Refusal {
    const NO_COMMON_VERSION: Self =
        Self { status: Status::NoCommonVersion, reason: "only version 1 is spoken here" };

    pub(crate) fn welcome(self) -> Welcome {
        Welcome::refuse(self.status, self.reason)
    }
}

impl From<Malformed> for Refusal {
    fn from(Malformed(reason): Malformed) -> Self {
        Self { status: Status::Malformed, reason }
    }
}

impl From<u8> for Status {
    fn from(byte: u8) -> Self {
        match byte {
            0 => Self::Ok,
            1 => Self::NoCommonVersion,
            2 => Self::NotAuthorised,
            3 => Self::Busy,
            4 => Self::Malformed,
            unknown => Self::Unknown(unknown),
        }
    }
}

impl From<Status> for u8 {
    fn from(status: Status) -> Self {
        match status {
            Status::Ok => 0,
            Status::NoCommonVersion => 1,
            Status::NotAuthorised => 2,
            Status::Busy => 3,
            Status::Malformed => 4,
            Status::Unknown(byte) => byte,
        }
    }
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            max_message: 16 << 20,
            max_piece: 256 << 10,
            calls: 256,
            nested_calls: 64,
            deepest: 16,
            notify_window: 1024,
            stream_window: 256,
            body_window: 32 << 20,
            passive: false,
        }
    }
}

fn extent(first: u8, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    if bytes.first().is_some_and(|byte| *byte != first) {
        return Err(Malformed("another frame where the preface is due"));
    }
    let Some((&[_, a, b, c, d], rest)) = bytes.split_first_chunk::<PREFIX>() else {
        return Ok(None);
    };
    let len = u32::from_be_bytes([a, b, c, d]) as usize;
    if len > MAX_LEN {
        return Err(Malformed("a preface of more than 256 KiB"));
    }
    if len < HEADER - PREFIX {
        return Err(Malformed("a preface that is cut"));
    }
    let there = rest.len().min(MAGIC.len());
    if rest[..there] != MAGIC[..there] {
        return Err(Malformed("a preface that is not dip's"));
    }
    Ok(Some(PREFIX + len))
}

/// The header of exactly this frame, and its fields.
fn split(first: u8, frame: &[u8]) -> Result<(&[u8; HEADER], &[u8]), Malformed> {
    let whole = extent(first, frame)?;
    let parts = frame.split_first_chunk().filter(|_| whole == Some(frame.len()));
    parts.ok_or(Malformed("a preface that is cut"))
}

fn zeros(bytes: [u8; 2]) -> Result<(), Malformed> {
    if bytes == [0; 2] { Ok(()) } else { Err(Malformed("a preface with unknown flags")) }
}

fn frame([first, a, b]: [u8; 3], fields: &Fields) -> Vec<u8> {
    let mut frame = vec![first, 0, 0, 0, 0];
    frame.extend_from_slice(&MAGIC);
    frame.extend_from_slice(&[a, b, 0, 0]);
    fields.encode(&mut frame);
    let len = (frame.len() - PREFIX) as u32;
    frame[1..PREFIX].copy_from_slice(&len.to_be_bytes());
    frame
}
