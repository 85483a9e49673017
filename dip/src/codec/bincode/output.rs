//! The bytes of a body on their way there, as bincode writes them.
//!
//! Not by its own encoder: that one appends an integer in two steps, each with a look at the room and
//! at the limit, which took most of the time of a small message.

use bincode::enc::write::Writer;
use bincode::error::EncodeError as Unwritable;

use crate::codec::{ROOM, Room};

/// The tags that tell the width of an integer; a byte below them is the integer itself.
pub(super) const TWO_BYTES: u8 = 251;
pub(super) const FOUR_BYTES: u8 = 252;
pub(super) const EIGHT_BYTES: u8 = 253;

/// Bytes go to a place of their own first. Where the next one goes there is a number that a compiler keeps
/// in a register; the length of a vector may be anywhere in memory, and is read and written for each byte.
pub(super) struct Output<'a> {
    room: &'a mut Room,
    /// Where the next one goes.
    at: usize,
    append: &'a mut dyn FnMut(&[u8]),
}

impl<'a> Output<'a> {
    /// `append` takes what is in the room when that is full, and slices that are longer than it.
    #[inline]
    pub(super) fn new(room: &'a mut Room, append: &'a mut dyn FnMut(&[u8])) -> Self {
        Self { room, at: 0, append }
    }

    /// How many bytes of the room are not appended.
    #[inline]
    pub(super) fn finish(self) -> usize {
        self.at
    }

    /// A byte, or a float.
    #[inline]
    pub(super) fn fixed_width<const N: usize>(&mut self, bytes: [u8; N]) {
        self.make_room(N);
        self.room[self.at..self.at + N].copy_from_slice(&bytes);
        self.at += N;
    }

    #[inline]
    pub(super) fn unsigned(&mut self, n: u64) {
        if n < TWO_BYTES.into() {
            self.fixed_width([n as u8]);
        } else {
            self.wide(n);
        }
    }

    /// An unsigned integer of no more than 32 bits: of these, few that are written are small.
    #[inline]
    pub(super) fn narrow(&mut self, n: u32) {
        if n > u16::MAX.into() {
            self.tagged(FOUR_BYTES, n.to_le_bytes(), 4);
        } else {
            self.unsigned(n.into());
        }
    }

    /// Eight bytes are written always; the next ones go over those that are too many.
    #[inline]
    fn wide(&mut self, n: u64) {
        let doublings = u8::from(n > u16::MAX.into()) + u8::from(n > u32::MAX.into());
        self.tagged(TWO_BYTES + doublings, n.to_le_bytes(), 2 << doublings);
    }

    /// The first `width` of these bytes, behind a tag.
    #[inline]
    fn tagged<const N: usize>(&mut self, tag: u8, bytes: [u8; N], width: usize) {
        self.make_room(1 + N);
        self.room[self.at] = tag;
        self.room[self.at + 1..self.at + 1 + N].copy_from_slice(&bytes);
        self.at += 1 + width;
    }

    /// Zigzag: small numbers of either sign become small ones without.
    #[inline]
    pub(super) fn signed(&mut self, n: i64) {
        self.unsigned(((n << 1) ^ (n >> 63)) as u64);
    }

    /// Bytes behind their number.
    #[inline]
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.unsigned(bytes.len() as u64);
        self.slice(bytes);
    }

    #[inline]
    fn slice(&mut self, bytes: &[u8]) {
        if bytes.len() > ROOM {
            flush(self.room, self.at, self.append);
            (self.append)(bytes);
            self.at = 0;
            return;
        }
        self.make_room(bytes.len());
        self.room[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    /// For so many bytes, no more than the room has at all.
    #[inline]
    fn make_room(&mut self, bytes: usize) {
        if self.at > ROOM - bytes {
            flush(self.room, self.at, self.append);
            self.at = 0;
        }
    }
}

/// It is handed the parts of an output: a compiler keeps these in registers as long as nobody else has
/// its address.
#[cold]
#[inline(never)]
fn flush(room: &Room, at: usize, append: &mut dyn FnMut(&[u8])) {
    append(&room[..at]);
}

impl Writer for Output<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), Unwritable> {
        self.slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ::bincode::config::standard;
    use ::bincode::serde::{decode_from_slice, encode_to_vec};
    use proptest::prelude::*;
    use serde::de::DeserializeOwned;
    use serde::{Deserialize, Serialize};

    use super::ROOM;
    use crate::codec::bincode::tests::{decode, encode};
    use crate::codec::{Bincode, BodyMut, Codec, Short};

    /// All that is written in ways of its own.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum Item {
        Byte(u8),
        Narrow(u32),
        Unsigned(u64),
        Signed(i64),
        Float(f32),
        Wide(u128),
        Character(char),
        Text(String),
    }

    fn item() -> impl Strategy<Value = Item> {
        let lengths = prop_oneof![0..20_usize, ROOM - 2..ROOM + 3, 0..4 * ROOM];
        prop_oneof![
            any::<u8>().prop_map(Item::Byte),
            any::<u32>().prop_map(Item::Narrow),
            (any::<u64>(), 0..64_u32).prop_map(|(n, shift)| Item::Unsigned(n >> shift)),
            (any::<i64>(), 0..64_u32).prop_map(|(n, shift)| Item::Signed(n >> shift)),
            (-1e9..1e9_f32).prop_map(Item::Float),
            any::<u128>().prop_map(Item::Wide),
            any::<char>().prop_map(Item::Character),
            lengths.prop_map(|len| Item::Text("x".repeat(len))),
        ]
    }

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
        fn a_message_of_any_length_is_written_as_bincode_writes_it(
            items in prop::collection::vec(item(), 0..80),
            limit in 0..2_000_usize,
        ) {
            let bytes = encode_to_vec(&items, standard()).unwrap();
            prop_assert_eq!(&encode(&items).unwrap(), &bytes);
            prop_assert_eq!(&decode::<Vec<Item>>(&bytes).unwrap(), &items);

            let mut out = vec![7];
            let mut body = BodyMut::new(&mut out, limit);
            Bincode::encode(&items, &mut body).unwrap();
            prop_assert_eq!(body.len(), bytes.len());
            prop_assert_eq!(body.finish().is_ok(), bytes.len() <= limit);
            prop_assert!(out.len() <= 1 + limit);

            let (mut out, mut room) = (Vec::new(), [0; ROOM]);
            let mut body = BodyMut::short(&mut room, &mut out, limit);
            Bincode::encode(&items, &mut body).unwrap();
            prop_assert_eq!(body.len(), bytes.len());
            match body.into_short() {
                Ok(Short::Stayed(len)) => prop_assert_eq!(&room[..len], bytes),
                Ok(Short::Elsewhere(encoded)) => prop_assert_eq!(encoded.into_bytes(out), bytes),
                Err(_) => prop_assert!(bytes.len() > limit),
            }
        }

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
