//! The fields of a preface.

use uuid::Uuid;

use super::{App, Malformed, Terms};

#[cfg_attr(
    not(test),
    expect(dead_code, reason = "frozen with the wire; nothing is sent twice yet")
)]
/// Remembers across a restart which messages were handled.
pub(crate) const DURABLE_DEDUP: u64 = 1 << 1;

/// Bytes of the field PROOF, the last of its preface.
pub(super) const PROOF_LEN: usize = 5 + 32;

/// In [`Terms`], not among the features: it binds the other side alone.
const PASSIVE: u64 = 1 << 2;

const LABEL: u8 = 0x01;
const INSTANCE: u8 = 0x02;
const MAX_MESSAGE: u8 = 0x03;
const MAX_PIECE: u8 = 0x04;
const MAX_CALLS: u8 = 0x05;
const NOTIFY_WINDOW: u8 = 0x06;
const STREAM_WINDOW: u8 = 0x07;
const BODY_WINDOW: u8 = 0x08;
const FEATURES: u8 = 0x09;
const TYPES: u8 = 0x0a;
const NONCE: u8 = 0x0b;
const PROOF: u8 = 0x0c;
const REASON: u8 = 0x0d;
const APP: u8 = 0x0e;
const SCHEMA_ALGORITHM: u8 = 0x0f;

/// A tag that must be understood has this bit.
const CRITICAL: u8 = 0x80;

/// The smallest piece that a side may ask for, in bytes.
const MIN_PIECE: u32 = 16 << 10;

/// The largest window, in units: the sum of credit stays below 2³¹.
const MAX_WINDOW: u32 = i32::MAX as u32;

/// The longest reason, in bytes.
const MAX_REASON: usize = 256;

/// Types that are told at most, so that a preface never outgrows its limit.
const MAX_TYPES: usize = 16 << 10;

/// Bytes of an mtype and its schema.
const TYPE_LEN: usize = 12;

/// What one side says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    /// The connection id that this side claims.
    pub(crate) label: Option<Uuid>,
    /// Which client or server process this is; there unless the connection is refused.
    pub(crate) instance: Option<[u8; 16]>,
    pub(crate) terms: Terms,
    /// What this side can do beyond version 1, without what is in the terms.
    pub(crate) features: u64,
    /// The number and the schema of each type, by number. Only the first 16,384 are sent.
    pub(crate) types: Vec<(u32, u64)>,
    pub(crate) nonce: Option<[u8; 32]>,
    pub(crate) proof: Option<[u8; 32]>,
    /// Why a connection is refused; cut at 256 bytes when it is sent.
    pub(crate) reason: Option<String>,
    pub(crate) app: Option<App>,
    /// How the schemas were computed; 0 is not at all.
    pub(crate) schema_algorithm: u16,
}

impl Fields {
    /// Fields that are `obeyed` must all be understood.
    pub(super) fn parse(mut bytes: &[u8], obeyed: bool) -> Result<Self, Malformed> {
        let mut fields = Self::default();
        let mut seen = [false; 256];
        while !bytes.is_empty() {
            let cut = Malformed("a field that is cut");
            let (&[tag, a, b, c, d], rest) = bytes.split_first_chunk::<5>().ok_or(cut)?;
            let len = u32::from_be_bytes([a, b, c, d]) as usize;
            let (value, rest) = rest.split_at_checked(len).ok_or(cut)?;
            bytes = rest;
            if std::mem::replace(&mut seen[usize::from(tag)], true) {
                return Err(Malformed("a field twice"));
            }
            if fields.proof.is_some() {
                return Err(Malformed("a field behind the proof"));
            }
            if !fields.read(tag, value)? && tag & CRITICAL != 0 && obeyed {
                return Err(Malformed("a field that has to be understood, and is not"));
            }
        }
        if obeyed && fields.instance.is_none() {
            return Err(Malformed("no instance"));
        }
        if fields.terms.body_window < fields.terms.max_message {
            return Err(Malformed("a body window smaller than a message"));
        }
        Ok(fields)
    }

    /// Whether the tag is known.
    fn read(&mut self, tag: u8, value: &[u8]) -> Result<bool, Malformed> {
        let terms = &mut self.terms;
        match tag {
            LABEL => self.label = Some(Uuid::from_bytes(fixed(value)?)),
            INSTANCE => self.instance = Some(fixed(value)?),
            MAX_MESSAGE => terms.max_message = u64::from_be_bytes(fixed(value)?),
            MAX_PIECE => match u32::from_be_bytes(fixed(value)?) {
                ..MIN_PIECE => return Err(Malformed("pieces of less than 16 KiB")),
                piece => terms.max_piece = piece,
            },
            MAX_CALLS => {
                let [a, b, c, d, deepest] = fixed(value)?;
                terms.calls = u16::from_be_bytes([a, b]);
                terms.nested_calls = u16::from_be_bytes([c, d]);
                terms.deepest = deepest;
            }
            NOTIFY_WINDOW => terms.notify_window = window(value)?,
            STREAM_WINDOW => terms.stream_window = window(value)?,
            BODY_WINDOW => terms.body_window = u64::from_be_bytes(fixed(value)?),
            FEATURES => {
                let bits = u64::from_be_bytes(fixed(value)?);
                terms.passive = bits & PASSIVE != 0;
                self.features = bits & !PASSIVE;
            }
            TYPES => self.types = types(value)?,
            NONCE => self.nonce = Some(fixed(value)?),
            PROOF => self.proof = Some(fixed(value)?),
            REASON => self.reason = Some(reason(value)?),
            APP => self.app = Some(App::parse(value)?),
            SCHEMA_ALGORITHM => self.schema_algorithm = u16::from_be_bytes(fixed(value)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut put = |tag: u8, value: &[u8]| {
            out.push(tag);
            // The longest value is that of TYPES.
            out.extend_from_slice(&(value.len() as u32).to_be_bytes());
            out.extend_from_slice(value);
        };
        let (terms, default) = (&self.terms, Terms::default());
        if let Some(label) = &self.label {
            put(LABEL, label.as_bytes());
        }
        if let Some(instance) = &self.instance {
            put(INSTANCE, instance);
        }
        if terms.max_message != default.max_message {
            put(MAX_MESSAGE, &terms.max_message.to_be_bytes());
        }
        if terms.max_piece != default.max_piece {
            put(MAX_PIECE, &terms.max_piece.to_be_bytes());
        }
        if calls(terms) != calls(&default) {
            put(MAX_CALLS, &calls(terms));
        }
        if terms.notify_window != default.notify_window {
            put(NOTIFY_WINDOW, &terms.notify_window.to_be_bytes());
        }
        if terms.stream_window != default.stream_window {
            put(STREAM_WINDOW, &terms.stream_window.to_be_bytes());
        }
        if terms.body_window != default.body_window {
            put(BODY_WINDOW, &terms.body_window.to_be_bytes());
        }
        let passive = if terms.passive { PASSIVE } else { 0 };
        let features = self.features & !PASSIVE | passive;
        if features != 0 {
            put(FEATURES, &features.to_be_bytes());
        }
        if !self.types.is_empty() {
            let types = self.types.iter().take(MAX_TYPES);
            let bytes = types.flat_map(|(mtype, schema)| {
                mtype.to_be_bytes().into_iter().chain(schema.to_be_bytes())
            });
            put(TYPES, &bytes.collect::<Vec<_>>());
        }
        if let Some(nonce) = &self.nonce {
            put(NONCE, nonce);
        }
        if let Some(reason) = &self.reason {
            put(REASON, &reason.as_bytes()[..reason.floor_char_boundary(MAX_REASON)]);
        }
        if let Some(app) = &self.app {
            put(APP, &app.encode());
        }
        if self.schema_algorithm != 0 {
            put(SCHEMA_ALGORITHM, &self.schema_algorithm.to_be_bytes());
        }
        if let Some(proof) = &self.proof {
            put(PROOF, proof);
        }
    }
}

fn calls(terms: &Terms) -> [u8; 5] {
    let ([a, b], [c, d]) = (terms.calls.to_be_bytes(), terms.nested_calls.to_be_bytes());
    [a, b, c, d, terms.deepest]
}

/// A window of no units would make everything free: nothing costs more than the whole window.
fn window(value: &[u8]) -> Result<u32, Malformed> {
    match u32::from_be_bytes(fixed(value)?) {
        units @ 1..=MAX_WINDOW => Ok(units),
        _ => Err(Malformed("a window of no units, or of too many")),
    }
}

fn types(value: &[u8]) -> Result<Vec<(u32, u64)>, Malformed> {
    let (types, rest) = value.as_chunks::<TYPE_LEN>();
    if !rest.is_empty() {
        return Err(Malformed("a list of types that is cut"));
    }
    let types: Vec<_> = types
        .iter()
        .map(|&[a, b, c, d, schema @ ..]| {
            (u32::from_be_bytes([a, b, c, d]), u64::from_be_bytes(schema))
        })
        .collect();
    if !types.is_sorted_by(|(one, _), (next, _)| one < next) {
        return Err(Malformed("a list of types that does not ascend"));
    }
    Ok(types)
}

fn reason(value: &[u8]) -> Result<String, Malformed> {
    if value.len() > MAX_REASON {
        return Err(Malformed("a reason of more than 256 bytes"));
    }
    let text = str::from_utf8(value).map_err(|_| Malformed("a reason that is not UTF-8"))?;
    Ok(text.to_owned())
}

fn fixed<const N: usize>(value: &[u8]) -> Result<[u8; N], Malformed> {
    value.try_into().map_err(|_| Malformed("a field of the wrong length"))
}
