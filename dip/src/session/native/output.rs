//! What is to be written: small frames in one buffer, long pieces as they are.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;

use crate::wire::native::{HEADER, Header, Metadata};

/// Shorter bodies are copied behind their header.
const COPIED: usize = 4 << 10;

/// What an empty output keeps of its buffer, in bytes.
const KEPT: usize = 256 << 10;

/// Bytes on their way out, in order. The driver swaps a filled one for an empty one and writes it
/// without the session.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// Headers, metadata and short bodies.
    small: Vec<u8>,
    /// Bytes at the front of `small` that are written.
    written: usize,
    /// Long pieces, each behind so many bytes of `small`.
    pieces: VecDeque<(usize, Bytes)>,
    len: usize,
    /// Bytes that were ever put in here.
    appended: u64,
    /// Where terminal frames for calls of the peer end, and the depths of those calls: a caller
    /// cannot have a frame that is still in here.
    terminals: VecDeque<(u64, u16)>,
}

impl Output {
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether there are pieces of long bodies in it.
    pub(super) fn has_pieces(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// Bytes to write.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// All there is to write, if it is in one piece.
    pub(crate) fn in_one(&self) -> Option<&[u8]> {
        self.pieces.is_empty().then(|| &self.small[self.written..])
    }

    /// Fills `into` from the front of what is to be written, and says how many of it are filled.
    pub(crate) fn slices<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        let mut from = self.written;
        let pieces = self.pieces.iter().flat_map(|(at, piece)| {
            let before = &self.small[from..*at];
            from = *at;
            [before, &piece[..]]
        });
        let last = self.pieces.back().map_or(self.written, |(at, _)| *at);
        let parts = pieces.chain([&self.small[last..]]).filter(|part| !part.is_empty());
        let mut filled = 0;
        for (slot, part) in into.iter_mut().zip(parts) {
            *slot = IoSlice::new(part);
            filled += 1;
        }
        filled
    }

    /// The first `n` bytes are written.
    pub(crate) fn advance(&mut self, n: usize) {
        let mut left = n.min(self.len);
        self.len -= left;
        while left > 0 {
            let until = self.pieces.front().map_or(self.small.len(), |(at, _)| *at);
            let small = left.min(until - self.written);
            self.written += small;
            left -= small;
            let Some((_, piece)) = self.pieces.front_mut().filter(|_| left > 0) else { break };
            if left < piece.len() {
                *piece = piece.slice(left..);
                break;
            }
            left -= piece.len();
            self.pieces.pop_front();
        }
        let written = self.appended - self.len as u64;
        while self.terminals.front().is_some_and(|(end, _)| *end <= written) {
            self.terminals.pop_front();
        }
        if self.len == 0 {
            self.clear();
        }
    }

    /// Appends a frame; its header is told the lengths.
    pub(super) fn frame(&mut self, header: Header, metadata: &Metadata, body: &[u8]) {
        self.head(header, metadata, body.len());
        self.small.extend_from_slice(body);
    }

    /// Appends a frame without metadata.
    #[inline]
    pub(super) fn plain(&mut self, mut header: Header, body: &[u8]) {
        header.body = length(body.len());
        self.put(&header.encode(), body);
    }

    /// Appends whole frames.
    pub(super) fn framed(&mut self, frames: &[u8]) {
        self.small.extend_from_slice(frames);
        self.grown(frames.len());
    }

    /// Appends a frame that says how many milliseconds are left, and nothing else.
    #[inline]
    pub(super) fn timed(&mut self, mut header: Header, left: u32, body: &[u8]) {
        let metadata = Metadata::timed(left);
        header.metadata = metadata.len() as u16;
        header.body = length(body.len());
        let mut head = [0; HEADER + 7];
        head[..HEADER].copy_from_slice(&header.encode());
        head[HEADER..].copy_from_slice(&metadata);
        self.put(&head, body);
    }

    /// Appends a frame whose body is not copied if it is long.
    pub(super) fn piece(&mut self, header: Header, metadata: &Metadata, body: Bytes) {
        self.head(header, metadata, body.len());
        if body.len() < COPIED {
            self.small.extend_from_slice(&body);
        } else {
            self.pieces.push_back((self.small.len(), body));
        }
    }

    /// Takes all that another one has, behind what is here.
    pub(crate) fn append(&mut self, other: &mut Self) {
        // One that is topped up again and again is never empty: it keeps nothing that is written.
        self.small.drain(..self.written);
        self.pieces.iter_mut().for_each(|(at, _)| *at -= self.written);
        self.written = 0;
        let small = self.small.len();
        self.small.extend_from_slice(&other.small[other.written..]);
        let pieces = other.pieces.drain(..);
        self.pieces.extend(pieces.map(|(at, piece)| (at - other.written + small, piece)));
        let before = other.appended - other.len as u64;
        let terminals = other.terminals.drain(..);
        self.terminals.extend(terminals.map(|(end, depth)| (end - before + self.appended, depth)));
        self.grown(other.len);
        other.clear();
    }

    /// The frame just appended ends a call of the peer at this depth.
    pub(super) fn mark_terminal(&mut self, depth: u16) {
        self.mark_terminal_behind(0, depth);
    }

    /// The same of a frame that ends so many bytes behind what is here, and is about to be appended.
    pub(super) fn mark_terminal_behind(&mut self, bytes: usize, depth: u16) {
        self.terminals.push_back((self.appended + bytes as u64, depth));
    }

    /// Whether fewer than `limit` calls at this depth are ended by frames in here.
    pub(super) fn terminals_below(&self, depth: u16, limit: usize) -> bool {
        self.terminals.len() < limit
            || self.terminals.iter().filter(|(_, of)| *of == depth).count() < limit
    }

    /// Throws everything away.
    pub(super) fn clear(&mut self) {
        self.small.clear();
        self.small.shrink_to(KEPT);
        self.written = 0;
        self.pieces.clear();
        self.terminals.clear();
        self.len = 0;
    }

    fn head(&mut self, mut header: Header, metadata: &Metadata, body: usize) {
        header.metadata = metadata.encoded_len();
        header.body = length(body);
        let before = self.small.len();
        self.small.reserve(HEADER + usize::from(header.metadata) + body.min(COPIED));
        self.small.extend_from_slice(&header.encode());
        metadata.encode(&mut self.small);
        self.grown(self.small.len() - before + body);
    }

    #[inline]
    fn put<const N: usize>(&mut self, head: &[u8; N], body: &[u8]) {
        self.small.reserve(N + body.len());
        self.small.extend_from_slice(head);
        self.small.extend_from_slice(body);
        self.grown(N + body.len());
    }

    fn grown(&mut self, bytes: usize) {
        self.len += bytes;
        self.appended += bytes as u64;
    }
}

/// As a header says it. No piece is longer than that.
fn length(body: usize) -> u32 {
    u32::try_from(body).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::native::Kind;

    fn filled() -> (Output, Vec<u8>) {
        let mut output = Output::default();
        let mut flat = Vec::new();
        for (id, len) in [(1, 10), (3, 100_000), (5, 5_000), (7, 0), (9, 20_000), (11, 3)] {
            let body = vec![id as u8; len];
            let header = Header { body: len as u32, ..Header::new(Kind::Reply, id) };
            flat.extend_from_slice(&header.encode());
            flat.extend_from_slice(&body);
            output.piece(header, &Metadata::default(), body.into());
        }
        (output, flat)
    }

    #[test]
    fn what_is_put_in_comes_out_however_it_is_written() {
        for step in [1, 7, 16, 5_016, 99_999, 1_000_000] {
            for slices in [1, 2, 64] {
                let (mut output, flat) = filled();
                assert_eq!(output.len(), flat.len());
                let mut written = Vec::new();
                while !output.is_empty() {
                    let mut into = vec![IoSlice::new(&[]); slices];
                    let filled = output.slices(&mut into);
                    let all: Vec<u8> =
                        into[..filled].iter().flat_map(|slice| slice.to_vec()).take(step).collect();
                    assert!(!all.is_empty());
                    output.advance(all.len());
                    written.extend(all);
                    if step == 1 && written.len() > 200 {
                        output.advance(usize::MAX);
                        written.extend_from_slice(&flat[written.len()..]);
                    }
                }
                assert!(written == flat, "{step} bytes at once");
            }
        }
    }

    #[test]
    fn what_is_appended_comes_out_behind_what_was_there() {
        for written in [0, 7, 30, 5_000, 100_100] {
            let (mut output, mut flat) = filled();
            let (mut other, more) = filled();
            for output in [&mut output, &mut other] {
                output.mark_terminal(0);
                output.advance(written);
            }
            output.append(&mut other);
            assert!(other.is_empty() && other.slices(&mut [IoSlice::new(&[])]) == 0);
            flat.extend_from_slice(&more[written..]);
            let mut slices = [IoSlice::new(&[]); 64];
            let filled = output.slices(&mut slices);
            let rest: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect();
            assert!(rest == flat[written..] && output.len() == rest.len(), "{written}");
            assert!(output.written == 0 && !output.terminals_below(0, 2));
            output.advance(more.len() - written);
            assert!(output.terminals_below(0, 2) && !output.terminals_below(0, 1));
            output.advance(more.len() - written);
            assert!(output.terminals_below(0, 1) && output.is_empty());
        }
    }

    #[test]
    fn a_plain_frame_is_one_without_metadata() {
        let [mut plain, mut frame] = [Output::default(), Output::default()];
        let header = Header { mtype: 7, ..Header::new(Kind::Notify, 0) };
        plain.plain(header, b"body");
        frame.frame(header, &Metadata::default(), b"body");
        assert_eq!((&plain.small, plain.len()), (&frame.small, frame.len()));
        assert_eq!(plain.appended, frame.appended);
    }

    #[test]
    fn a_timed_frame_is_one_with_a_deadline() {
        let [mut timed, mut frame] = [Output::default(), Output::default()];
        let header = Header { mtype: 7, ..Header::new(Kind::Request, 1) };
        timed.timed(header, 2000, b"body");
        let metadata = Metadata { deadline: Some(2000), ..Metadata::default() };
        frame.frame(header, &metadata, b"body");
        assert_eq!((&timed.small, timed.len()), (&frame.small, frame.len()));
        assert_eq!(timed.appended, frame.appended);
    }

    #[test]
    fn a_terminal_frame_is_with_the_caller_once_its_last_byte_is_written() {
        let mut output = Output::default();
        for id in [1, 3] {
            output.plain(Header::new(Kind::Reply, id), b"x");
            output.mark_terminal(0);
        }
        assert!(!output.terminals_below(0, 2) && output.terminals_below(1, 1));
        output.advance(16);
        assert!(!output.terminals_below(0, 2));
        output.advance(1);
        assert!(output.terminals_below(0, 2) && !output.terminals_below(0, 1));
        output.advance(17);
        assert!(output.terminals_below(0, 1));
    }
}
