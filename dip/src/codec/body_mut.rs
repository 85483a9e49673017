//! The bytes of one message, to append to.

use std::fmt;
use std::io;
use std::mem;

use bytes::Bytes;

use super::EncodeError;
use crate::buffer::Buffer;

/// A body under construction: an append-only view of an output buffer that knows its limit.
///
/// Bytes past the limit are counted, not kept; the message is then refused with an error that names
/// its size and the limit.
pub struct BodyMut<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    limit: usize,
    /// How long `out` may become, while all bytes are in it; 0 while some are elsewhere: in the room,
    /// shared, or past the limit. A body that ends with more than 0 is in `out`, and within its limit.
    end: usize,
    /// Bytes that did not fit.
    excess: usize,
    elsewhere: Elsewhere<'a>,
}

/// What is not in the vector.
enum Elsewhere<'a> {
    Nothing,
    /// Nothing; who made the body takes out what is shared.
    MayShare,
    /// The same, and a codec may write to this room. `out` has no memory yet.
    Room(&'a mut Room),
    /// The same, and a codec has the room.
    RoomTaken,
    /// All there is, while nothing is appended behind it.
    Shared(Box<Bytes>),
    /// The first bytes of the room are all there is, while nothing is appended behind them.
    Stayed(&'a mut Room, usize),
}

/// A place for a short body, as most are: on the stack of who encodes it, for which it needs no buffer.
pub(crate) type Room = [u8; ROOM];

/// Bytes of a [`Room`].
pub(crate) const ROOM: usize = 128;

/// Where a body is that was made by [`BodyMut::sharing`].
pub(crate) enum Encoded {
    /// Behind what was in the vector.
    Copied,
    /// It was handed over in one piece; nothing was added to the vector. In a box, as few are, and this is
    /// passed on often.
    Shared(Box<Bytes>),
}

impl Encoded {
    /// The body, where nothing else was in the vector.
    pub(crate) fn into_bytes(self, out: Vec<u8>) -> Bytes {
        match self {
            Self::Copied => out.into(),
            Self::Shared(bytes) => *bytes,
        }
    }
}

/// Where a body is that was made by [`BodyMut::short`].
pub(crate) enum Short {
    /// The first bytes of the room.
    Stayed(usize),
    Elsewhere(Encoded),
}

impl From<Bytes> for Encoded {
    fn from(bytes: Bytes) -> Self {
        Self::Shared(bytes.into())
    }
}

/// From this length on a body that is handed over is not copied.
const SHARED: usize = 16 << 10;

impl<'a> BodyMut<'a> {
    /// A body of at most `limit` bytes, appended to `out`.
    #[inline]
    pub fn new(out: &'a mut Vec<u8>, limit: usize) -> Self {
        let start = out.len();
        let end = start.saturating_add(limit);
        Self { out, start, limit, end, excess: 0, elsewhere: Elsewhere::Nothing }
    }

    /// A body of at most `limit` bytes, appended to `out` or kept as the bytes that it consists of.
    pub(crate) fn sharing(out: &'a mut Vec<u8>, limit: usize) -> Self {
        Self { elsewhere: Elsewhere::MayShare, ..Self::new(out, limit) }
    }

    /// A body of at most `limit` bytes, which stays in `room` if it is short and its codec leaves it there,
    /// as bincode does. Otherwise it is [`sharing`](Self::sharing), with a buffer of the thread as `out`.
    #[inline]
    pub(crate) fn short(room: &'a mut Room, out: &'a mut Vec<u8>, limit: usize) -> Self {
        Self { elsewhere: Elsewhere::Room(room), ..Self::new(out, limit) }
    }

    /// Appends bytes.
    #[inline]
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        if self.has_room(bytes.len()) {
            self.out.extend_from_slice(bytes);
        } else {
            self.extend_or_count(bytes);
        }
    }

    /// Whether so many bytes can be appended with neither the limit nor memory in the way.
    #[inline]
    fn has_room(&self, n: usize) -> bool {
        let len = self.out.len();
        len + n <= self.end && n <= self.out.capacity() - len
    }

    #[cold]
    #[inline(never)]
    fn extend_or_count(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.gather();
        }
        if let Elsewhere::Room(_) | Elsewhere::RoomTaken = self.elsewhere {
            self.leave_room();
        }
        if self.out.len() + bytes.len() <= self.end {
            self.out.extend_from_slice(bytes);
        } else {
            self.excess = self.excess.saturating_add(bytes.len());
            self.end = 0;
        }
    }

    /// Appends bytes that the caller can give away: a large body that is nothing else is sent
    /// without a copy.
    pub fn put_bytes(&mut self, bytes: Bytes) {
        use Elsewhere::{MayShare, Room, RoomTaken};
        let may_share = matches!(self.elsewhere, MayShare | Room(_) | RoomTaken);
        if may_share && self.is_empty() && (SHARED..=self.limit).contains(&bytes.len()) {
            self.elsewhere = Elsewhere::Shared(bytes.into());
            self.end = 0;
        } else {
            self.extend_from_slice(&bytes);
        }
    }

    /// The room, while nothing is appended yet.
    #[inline]
    #[cfg_attr(
        not(any(feature = "bincode", test)),
        expect(dead_code, reason = "only bincode uses a room")
    )]
    pub(crate) fn take_room(&mut self) -> Option<&'a mut Room> {
        if !matches!(self.elsewhere, Elsewhere::Room(_)) || !self.is_empty() {
            return None;
        }
        match mem::replace(&mut self.elsewhere, Elsewhere::RoomTaken) {
            Elsewhere::Room(room) => Some(room),
            _ => None,
        }
    }

    /// Appends the first bytes of the room, which stay there if they are all there is.
    #[inline(always)]
    #[cfg_attr(
        not(any(feature = "bincode", test)),
        expect(dead_code, reason = "only bincode uses a room")
    )]
    pub(crate) fn stay(&mut self, room: &'a mut Room, len: usize) {
        if len > self.limit || !self.is_empty() {
            return self.extend_or_count(&room[..len]);
        }
        if len > 0 {
            self.elsewhere = Elsewhere::Stayed(room, len);
            self.end = 0;
        }
    }

    /// Bytes appended so far, those past the limit included.
    pub fn len(&self) -> usize {
        self.kept() + self.excess
    }

    fn kept(&self) -> usize {
        let elsewhere = match &self.elsewhere {
            Elsewhere::Shared(shared) => shared.len(),
            Elsewhere::Stayed(_, len) => *len,
            _ => 0,
        };
        self.out.len() - self.start + elsewhere
    }

    /// Whether nothing was appended yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends what `write` appends, behind its length (a big-endian `u32`).
    ///
    /// # Errors
    ///
    /// Those of `write`, and a part longer than a `u32` can say.
    pub fn prefixed(
        &mut self,
        write: impl FnOnce(&mut BodyMut<'_>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.extend_from_slice(&[0; 4]);
        let (at, before) = (self.out.len(), self.len());
        write(self)?;
        let len = u32::try_from(self.len() - before)
            .map_err(|_| EncodeError::new("a part is longer than 4 GiB"))?;
        if self.excess == 0 {
            self.out[at - 4..at].copy_from_slice(&len.to_be_bytes());
        }
        Ok(())
    }

    /// Ends the body.
    ///
    /// # Errors
    ///
    /// When it is over its limit.
    #[inline]
    pub fn finish(self) -> Result<(), EncodeError> {
        if self.end > 0 {
            return Ok(());
        }
        self.finish_elsewhere()
    }

    #[cold]
    fn finish_elsewhere(mut self) -> Result<(), EncodeError> {
        self.gather();
        self.check()
    }

    /// Ends the body, and says where it is.
    #[inline]
    pub(crate) fn into_encoded(self) -> Result<Encoded, EncodeError> {
        if self.end > 0 {
            return Ok(Encoded::Copied);
        }
        self.into_encoded_elsewhere()
    }

    #[cold]
    fn into_encoded_elsewhere(mut self) -> Result<Encoded, EncodeError> {
        self.check()?;
        if let Elsewhere::Shared(shared) = self.elsewhere {
            return Ok(Encoded::Shared(shared));
        }
        self.gather();
        Ok(Encoded::Copied)
    }

    /// The same of a body that may have stayed in its room.
    #[inline]
    pub(crate) fn into_short(self) -> Result<Short, EncodeError> {
        match self.elsewhere {
            Elsewhere::Stayed(_, len) => Ok(Short::Stayed(len)),
            _ => self.into_encoded().map(Short::Elsewhere),
        }
    }

    /// Puts the bytes that are elsewhere to where more can be appended.
    fn gather(&mut self) {
        match mem::replace(&mut self.elsewhere, Elsewhere::Nothing) {
            Elsewhere::Shared(shared) => self.out.extend_from_slice(&shared),
            Elsewhere::Stayed(room, len) => {
                self.leave_room();
                self.out.extend_from_slice(&room[..len]);
            }
            nothing => {
                self.elsewhere = nothing;
                return;
            }
        }
        self.end = self.start.saturating_add(self.limit);
    }

    /// There will be bytes in `out`.
    fn leave_room(&mut self) {
        self.elsewhere = Elsewhere::MayShare;
        if self.out.capacity() == 0 {
            *self.out = Buffer::new().into_vec();
        }
    }

    fn check(&self) -> Result<(), EncodeError> {
        let (len, limit) = (self.len(), self.limit);
        if self.excess == 0 {
            return Ok(());
        }
        Err(EncodeError::named(
            "ValueError",
            format!("the body has {len} bytes, the limit is {limit}"),
        ))
    }
}

impl io::Write for BodyMut<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for BodyMut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BodyMut({} of at most {} bytes)", self.len(), self.limit)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_part_is_prefixed_by_its_length() {
        let mut out = vec![9];
        let mut body = BodyMut::new(&mut out, 100);
        body.prefixed(|part| {
            part.extend_from_slice(b"hi");
            Ok(())
        })
        .unwrap();
        body.finish().unwrap();
        assert_eq!(out, b"\x09\0\0\0\x02hi");
    }

    #[test]
    fn a_body_over_its_limit_is_refused_with_both_sizes() {
        let mut out = Vec::new();
        let mut body = BodyMut::new(&mut out, 4);
        body.extend_from_slice(b"abcde");
        body.extend_from_slice(b"f");
        assert_eq!(body.finish().unwrap_err().text(), "the body has 6 bytes, the limit is 4");
        assert!(out.is_empty());
    }

    #[test]
    fn a_large_body_that_is_handed_over_is_not_copied() {
        let bytes = Bytes::from(vec![7; SHARED]);
        let mut out = vec![1];
        let mut body = BodyMut::sharing(&mut out, SHARED);
        body.put_bytes(bytes.clone());
        body.extend_from_slice(b"");
        let Ok(Encoded::Shared(shared)) = body.into_encoded() else { panic!("it was copied") };
        assert_eq!((shared.as_ptr(), out), (bytes.as_ptr(), vec![1]));
    }

    #[test]
    fn a_body_that_only_a_vector_can_hold_is_copied() {
        let large = Bytes::from(vec![7; SHARED]);
        let small = large.slice(1..);
        let encoded = |append: &dyn Fn(&mut BodyMut<'_>)| {
            let mut out = Vec::new();
            let mut body = BodyMut::sharing(&mut out, 1 << 20);
            append(&mut body);
            matches!(body.into_encoded(), Ok(Encoded::Copied)).then_some(out.len())
        };
        assert_eq!(encoded(&|body| body.put_bytes(small.clone())), Some(SHARED - 1));
        let second = |body: &mut BodyMut<'_>| {
            body.put_bytes(large.clone());
            body.put_bytes(large.clone());
        };
        assert_eq!(encoded(&second), Some(2 * SHARED));
    }

    #[test]
    fn a_body_made_of_a_vector_is_in_it_also_before_its_end() {
        let mut out = Vec::new();
        BodyMut::new(&mut out, 1 << 20).put_bytes(vec![7; SHARED].into());
        assert_eq!(out.len(), SHARED);
    }

    #[derive(Clone, Debug)]
    enum Append {
        Slice(Vec<u8>),
        Bytes(Vec<u8>),
        Prefixed(Vec<u8>),
        /// Through the room, if there is one; so many of them only once it is full.
        Room(Vec<u8>, usize),
    }

    fn append() -> impl Strategy<Value = Append> {
        let bytes = || {
            let len = prop_oneof![Just(0), 1..9_usize, SHARED - 1..SHARED + 2];
            (len, any::<u8>()).prop_map(|(len, byte)| vec![byte; len])
        };
        prop_oneof![
            bytes().prop_map(Append::Slice),
            bytes().prop_map(Append::Bytes),
            bytes().prop_map(Append::Prefixed),
            (prop::collection::vec(any::<u8>(), 0..=ROOM), 0..2 * ROOM)
                .prop_map(|(bytes, first)| Append::Room(bytes, first)),
        ]
    }

    proptest! {
        #[test]
        fn any_sequence_of_appends_gives_the_bytes_that_a_vector_has(
            appends in proptest::collection::vec(append(), 0..6),
            ends in 0..3,
            limit in prop_oneof![0..4 * SHARED, Just(usize::MAX)],
        ) {
            let mut expected = Vec::new();
            let (mut out, mut room) = (Vec::new(), [0; ROOM]);
            let mut body = match ends {
                2 => BodyMut::short(&mut room, &mut out, limit),
                _ => BodyMut::sharing(&mut out, limit),
            };
            for append in appends {
                match append {
                    Append::Slice(bytes) => {
                        expected.extend_from_slice(&bytes);
                        body.extend_from_slice(&bytes);
                    }
                    Append::Bytes(bytes) => {
                        expected.extend_from_slice(&bytes);
                        body.put_bytes(bytes.into());
                    }
                    Append::Prefixed(bytes) => {
                        expected.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
                        expected.extend_from_slice(&bytes);
                        body.prefixed(|part| {
                            part.put_bytes(bytes.into());
                            Ok(())
                        })
                        .unwrap();
                    }
                    Append::Room(bytes, first) => {
                        expected.extend_from_slice(&bytes);
                        let (first, last) = bytes.split_at_checked(first).unwrap_or((&[], &bytes[..]));
                        match body.take_room() {
                            Some(room) => {
                                body.extend_from_slice(first);
                                room[..last.len()].copy_from_slice(last);
                                body.stay(room, last.len());
                            }
                            None => body.extend_from_slice(&bytes),
                        }
                    }
                }
                prop_assert_eq!(body.len(), expected.len());
            }
            let encoded = match ends {
                0 => body.finish().map(|()| Short::Elsewhere(Encoded::Copied)),
                1 => body.into_encoded().map(Short::Elsewhere),
                _ => body.into_short(),
            };
            let encoded = encoded.map(|encoded| match encoded {
                Short::Stayed(len) => room[..len].to_vec(),
                Short::Elsewhere(encoded) => encoded.into_bytes(out).into(),
            });
            match encoded {
                Ok(encoded) => prop_assert_eq!(encoded, expected),
                Err(_) => prop_assert!(expected.len() > limit),
            }
        }
    }
}
