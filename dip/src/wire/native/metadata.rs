//! What stands between a header and its body.

use super::Malformed;

/// The longest metadata of a frame, in bytes.
pub(crate) const MAX_METADATA: usize = 1024;

const TOTAL: u8 = 0x81;
const PARENT: u8 = 0x82;
const DEADLINE: u8 = 0x03;
const MESSAGE_ID: u8 = 0x84;
const TRACE: u8 = 0x05;

/// Bytes of a deadline: of most calls they are all the metadata.
pub(super) const TIMED: usize = 7;

/// A tag that must be understood has this bit.
const CRITICAL: u8 = 0x80;

/// A trace context of W3C: 16 bytes of trace id, 8 of span id, 1 of flags.
pub(crate) type Trace = [u8; 25];

/// What the first frame of a body says about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metadata {
    /// Bytes of the whole body; there when more frames follow.
    pub(crate) total: Option<u64>,
    /// The call of the other direction that this call serves.
    pub(crate) parent: Option<u32>,
    /// Milliseconds left, at least 1, counted from receipt.
    pub(crate) deadline: Option<u32>,
    pub(crate) message_id: Option<MessageId>,
    pub(crate) trace: Option<Trace>,
    /// A tag that had to be understood, and is not.
    pub(crate) unsupported: Option<u8>,
}

/// The number of a message that may be sent again, and up to which all are settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageId {
    pub(crate) sequence: u64,
    pub(crate) settled_below: u64,
}

/// How many milliseconds a deadline says are left, if it is one.
#[inline]
pub(super) fn time_of(bytes: &[u8; TIMED]) -> Option<u32> {
    let [DEADLINE, 0, 4, a, b, c, d] = *bytes else { return None };
    Some(u32::from_be_bytes([a, b, c, d])).filter(|left| *left > 0)
}

impl Metadata {
    /// # Errors
    ///
    /// On metadata that does not hold what its lengths say, on a tag that comes twice.
    #[inline]
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        match *bytes {
            [] => Ok(Self::default()),
            _ => Self::parse_any(bytes),
        }
    }

    fn parse_any(mut bytes: &[u8]) -> Result<Self, Malformed> {
        let mut metadata = Self::default();
        let mut seen = [false; 256];
        while !bytes.is_empty() {
            let cut = Malformed("metadata that is cut");
            let (&[tag, high, low], rest) = bytes.split_first_chunk::<3>().ok_or(cut)?;
            let (value, rest) =
                rest.split_at_checked(u16::from_be_bytes([high, low]).into()).ok_or(cut)?;
            bytes = rest;
            if std::mem::replace(&mut seen[usize::from(tag)], true) {
                return Err(Malformed("metadata with a tag twice"));
            }
            metadata.read(tag, value)?;
        }
        Ok(metadata)
    }

    fn read(&mut self, tag: u8, value: &[u8]) -> Result<(), Malformed> {
        match tag {
            TOTAL => self.total = Some(u64::from_be_bytes(fixed(value)?)),
            PARENT => self.parent = Some(u32::from_be_bytes(fixed(value)?)),
            DEADLINE => self.deadline = Some(deadline(u32::from_be_bytes(fixed(value)?))?),
            MESSAGE_ID => {
                let bytes: [u8; 16] = fixed(value)?;
                let [sequence, settled_below] = [0, 8].map(|at| {
                    let mut half = [0; 8];
                    half.copy_from_slice(&bytes[at..at + 8]);
                    u64::from_be_bytes(half)
                });
                self.message_id = Some(MessageId { sequence, settled_below });
            }
            TRACE => self.trace = Some(fixed(value)?),
            unknown if unknown & CRITICAL != 0 => self.unsupported = Some(unknown),
            _ => {}
        }
        Ok(())
    }

    /// A deadline, encoded: so many milliseconds are left.
    pub(crate) fn timed(left: u32) -> [u8; TIMED] {
        let [a, b, c, d] = left.to_be_bytes();
        [DEADLINE, 0, 4, a, b, c, d]
    }

    #[inline]
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Self { total: None, parent: None, message_id: None, trace: None, deadline, .. } => {
                if let Some(left) = deadline {
                    out.extend_from_slice(&Self::timed(left));
                }
            }
            _ => self.encode_any(out),
        }
    }

    fn encode_any(&self, out: &mut Vec<u8>) {
        if let Some(total) = self.total {
            put(out, TOTAL, &total.to_be_bytes());
        }
        if let Some(parent) = self.parent {
            put(out, PARENT, &parent.to_be_bytes());
        }
        if let Some(deadline) = self.deadline {
            put(out, DEADLINE, &deadline.to_be_bytes());
        }
        if let Some(MessageId { sequence, settled_below }) = self.message_id {
            let mut value = [0; 16];
            value[..8].copy_from_slice(&sequence.to_be_bytes());
            value[8..].copy_from_slice(&settled_below.to_be_bytes());
            put(out, MESSAGE_ID, &value);
        }
        if let Some(trace) = &self.trace {
            put(out, TRACE, trace);
        }
    }

    /// Bytes that [`encode`](Self::encode) appends.
    pub(crate) fn encoded_len(&self) -> u16 {
        let field = |is_there: bool, len: u16| if is_there { 3 + len } else { 0 };
        field(self.total.is_some(), 8)
            + field(self.parent.is_some(), 4)
            + field(self.deadline.is_some(), 4)
            + field(self.message_id.is_some(), 16)
            + field(self.trace.is_some(), 25)
    }
}

fn deadline(left: u32) -> Result<u32, Malformed> {
    if left == 0 { Err(Malformed("a deadline of 0 ms")) } else { Ok(left) }
}

fn put(out: &mut Vec<u8>, tag: u8, value: &[u8]) {
    out.push(tag);
    // No value is longer than a trace context.
    out.extend_from_slice(&[0, value.len() as u8]);
    out.extend_from_slice(value);
}

fn fixed<const N: usize>(value: &[u8]) -> Result<[u8; N], Malformed> {
    value.try_into().map_err(|_| Malformed("metadata with a value of the wrong length"))
}
