//! The client's side of a classic connection: the reply to the one message under way.
//!
//! A reply has no length, so what it is follows from its first bytes. Exactly `ok` is an
//! acknowledgement, however it was split. Anything that cannot become `ok` is an error text; it ends
//! when nothing more comes for [`QUIET`], at [`MAX_TEXT`], or with the stream. `ok` with something
//! behind it is neither: two replies, or a peer that speaks something else.
//!
//! Whatever is not an acknowledgement leaves the connection with an unknown state: a second reply
//! could be under way, and would answer the next message.

use std::time::Duration;

use bytes::BufMut;

use crate::wire::classic::ACK;

/// An error text has ended when no more of it came for this long.
pub(crate) const QUIET: Duration = Duration::from_millis(50);

/// How much of an error text is read, in bytes.
pub(crate) const MAX_TEXT: usize = 64 << 10;

/// What has arrived of a reply.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    bytes: Vec<u8>,
}

/// What a reply is, as far as it has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrived {
    /// Nothing, or an `o`.
    Nothing,
    /// Exactly `ok`.
    Ack,
    /// `ok` and something behind it.
    AckAndMore,
    /// An error text, of which more may come.
    Text,
    /// As much of an error text as is read.
    FullText,
}

impl Reply {
    /// Where the next bytes go.
    pub(crate) fn room(&mut self) -> impl BufMut {
        let left = MAX_TEXT - self.bytes.len();
        (&mut self.bytes).limit(left)
    }

    /// What the reply is so far.
    pub(crate) fn arrived(&self) -> Arrived {
        match self.bytes.as_slice() {
            bytes if bytes == ACK => Arrived::Ack,
            bytes if ACK.starts_with(bytes) => Arrived::Nothing,
            bytes if bytes.starts_with(ACK) => Arrived::AckAndMore,
            bytes if bytes.len() < MAX_TEXT => Arrived::Text,
            _ => Arrived::FullText,
        }
    }

    /// What has arrived, as text; bytes that are no UTF-8 are replaced.
    pub(crate) fn into_text(self) -> String {
        String::from_utf8(self.bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each of the pieces makes of the reply.
    fn arrivals<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Arrived>, Reply) {
        let mut reply = Reply::default();
        let mut arrived = Vec::new();
        for piece in pieces {
            reply.room().put_slice(piece);
            arrived.push(reply.arrived());
        }
        (arrived, reply)
    }

    #[test]
    fn exactly_ok_is_an_acknowledgement_in_one_piece_or_two() {
        assert_eq!(arrivals([&b"ok"[..]]).0, [Arrived::Ack]);
        assert_eq!(arrivals([&b"o"[..], b"k"]).0, [Arrived::Nothing, Arrived::Ack]);
        assert_eq!(Reply::default().arrived(), Arrived::Nothing);
    }

    #[test]
    fn ok_with_something_behind_it_is_none() {
        for bytes in [&b"okok"[..], b"ok\n", b"ok\0", b"okValueError('x')"] {
            assert_eq!(arrivals([bytes]).0, [Arrived::AckAndMore]);
        }
    }

    #[test]
    fn anything_else_is_a_text_from_its_first_wrong_byte_on() {
        for bytes in [&b"OK"[..], b"oK", b"o\n", b"\0", b"ValueError('ok')", b"\xff"] {
            assert_eq!(arrivals([bytes]).0, [Arrived::Text], "{bytes:?}");
        }
        assert_eq!(arrivals([&b"o"[..], b"h"]).0, [Arrived::Nothing, Arrived::Text]);
    }

    #[test]
    fn a_text_is_the_same_however_it_was_split() {
        for text in ["ValueError('boom')", "o: not ok", "TypeError('错误：值')", "k"] {
            let bytes = text.as_bytes();
            for first in 0..=bytes.len() {
                for second in first..=bytes.len() {
                    let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                    let (arrived, reply) = arrivals(pieces);
                    assert_eq!(arrived.last(), Some(&Arrived::Text));
                    assert!(
                        !arrived.contains(&Arrived::Ack) && !arrived.contains(&Arrived::AckAndMore)
                    );
                    assert_eq!(reply.into_text(), text);
                }
            }
        }
    }

    #[test]
    fn every_reply_of_up_to_four_bytes_byte_by_byte_is_ok_only_if_it_is_ok() {
        let alphabet = [b'o', b'k', b'O', 0, 0xff];
        for number in 0..alphabet.len().pow(4) {
            let digit = |at| alphabet[number / alphabet.len().pow(at) % alphabet.len()];
            let bytes = [digit(0), digit(1), digit(2), digit(3)];
            let (arrived, _) = arrivals(bytes.chunks(1));
            let acked = arrived.iter().position(|arrived| *arrived == Arrived::Ack);
            assert_eq!(acked, bytes.starts_with(b"ok").then_some(1), "{bytes:?}");
            let whole = arrivals([&bytes[..]]).0;
            assert_eq!(whole.last() == Some(&Arrived::AckAndMore), bytes.starts_with(b"ok"));
        }
    }

    #[test]
    fn a_text_is_read_up_to_its_limit() {
        let mut reply = Reply::default();
        let text = "x".repeat(MAX_TEXT - 1);
        reply.room().put_slice(text.as_bytes());
        assert_eq!(reply.arrived(), Arrived::Text);
        assert_eq!(reply.room().remaining_mut(), 1);
        reply.room().put_slice(b"y");
        assert_eq!(reply.arrived(), Arrived::FullText);
        assert!(!reply.room().has_remaining_mut());
    }

    #[test]
    fn a_text_that_is_no_utf8_keeps_what_is() {
        let (_, reply) = arrivals([&b"E('\xe4\xb8')"[..]]);
        assert_eq!(reply.into_text(), "E('\u{fffd}')");
    }
}
