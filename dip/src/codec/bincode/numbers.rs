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

/// An unsigned integer of no more than 32 bits: of these, few that are written are small.
#[inline]
pub(super) fn narrow(body: &mut BodyMut<'_>, n: u32) {
    if n > u16::MAX.into() {
        let [a, b, c, d] = n.to_le_bytes();
        body.put_array([FOUR_BYTES, a, b, c, d]);
    } else {
        unsigned(body, n.into());
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

#[cfg(test)]
mod tests {
    use ::bincode::config::standard;
    use ::bincode::serde::{decode_from_slice, encode_to_vec};
    use proptest::prelude::*;
    use serde::de::DeserializeOwned;

    use crate::codec::bincode::tests::{decode, encode};

    /// Around each width that an integer can take, as all the types that it is cast to.
    #[test]
    fn integers_of_every_width_are_written_as_bincode_writes_them() {
        for edge in [0, 250, 1 << 8, 1 << 15, 1 << 16, 1 << 31, 1 << 32, 1 << 63, u64::MAX] {
            for n in (0..12).map(|n| edge.wrapping_add(n).wrapping_sub(6)) {
                let all = (
                    (n as u8, n as u16, n as u32, n, u128::from(n) << 1),
                    (n as i8, n as i16, n as i32, n as i64, -i128::from(n)),
                );
                let bytes = encode(&all).unwrap();
                assert_eq!(bytes, encode_to_vec(all, standard()).unwrap());
                assert_eq!(
                    decode::<((u8, u16, u32, u64, u128), (i8, i16, i32, i64, i128))>(&bytes),
                    Ok(all)
                );
            }
        }
    }

    /// The value of these bytes, unless some are left over.
    fn as_bincode_reads<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
        let read = decode_from_slice(bytes, standard());
        read.ok().and_then(|(value, len)| (len == bytes.len()).then_some(value))
    }

    proptest! {
        #[test]
        fn any_bytes_are_the_integer_that_bincode_reads_or_refused_as_there(
            bytes in prop::collection::vec(any::<u8>(), 0..18),
            tag in prop::option::of(248..=255_u8),
        ) {
            let bytes: Vec<u8> = tag.into_iter().chain(bytes).collect();
            for len in 0..=bytes.len() {
                let bytes = &bytes[..len];
                prop_assert_eq!(decode::<u16>(bytes).ok(), as_bincode_reads(bytes));
                prop_assert_eq!(decode::<u32>(bytes).ok(), as_bincode_reads(bytes));
                prop_assert_eq!(decode::<u64>(bytes).ok(), as_bincode_reads(bytes));
                prop_assert_eq!(decode::<u128>(bytes).ok(), as_bincode_reads(bytes));
                prop_assert_eq!(decode::<i16>(bytes).ok(), as_bincode_reads(bytes));
                prop_assert_eq!(decode::<i32>(bytes).ok(), as_bincode_reads(bytes));
                prop_assert_eq!(decode::<i64>(bytes).ok(), as_bincode_reads(bytes));
                prop_assert_eq!(decode::<i128>(bytes).ok(), as_bincode_reads(bytes));
            }
        }
    }
}
