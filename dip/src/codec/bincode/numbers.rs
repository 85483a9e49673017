//! Numbers and byte strings, appended to a body as bincode writes them.
//!
//! Not by its own encoder: that one appends an integer in two steps, each with a look at the room and
//! at the limit, which took most of the time of a small message.

use crate::codec::BodyMut;

/// The tags that tell the width of an integer; a byte below them is the integer itself.
pub(super) const TWO_BYTES: u8 = 251;
pub(super) const FOUR_BYTES: u8 = 252;
pub(super) const EIGHT_BYTES: u8 = 253;

/// A byte, or a float.
#[inline]
pub(super) fn fixed_width<const N: usize>(body: &mut BodyMut<'_>, bytes: [u8; N]) {
    body.put_array(bytes);
}

#[inline]
pub(super) fn unsigned(body: &mut BodyMut<'_>, n: u64) {
    if n < TWO_BYTES.into() {
        body.put_array([n as u8]);
    } else {
        wide(body, n);
    }
}

fn wide(body: &mut BodyMut<'_>, n: u64) {
    if let Ok(n) = u16::try_from(n) {
        let [a, b] = n.to_le_bytes();
        body.put_array([TWO_BYTES, a, b]);
    } else if let Ok(n) = u32::try_from(n) {
        let [a, b, c, d] = n.to_le_bytes();
        body.put_array([FOUR_BYTES, a, b, c, d]);
    } else {
        let [a, b, c, d, e, f, g, h] = n.to_le_bytes();
        body.put_array([EIGHT_BYTES, a, b, c, d, e, f, g, h]);
    }
}

/// Zigzag: small numbers of either sign become small ones without.
#[inline]
pub(super) fn signed(body: &mut BodyMut<'_>, n: i64) {
    unsigned(body, ((n << 1) ^ (n >> 63)) as u64);
}

/// Bytes behind their number.
#[inline]
pub(super) fn bytes(body: &mut BodyMut<'_>, bytes: &[u8]) {
    unsigned(body, bytes.len() as u64);
    body.extend_from_slice(bytes);
}
