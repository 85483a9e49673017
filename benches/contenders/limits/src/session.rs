//! What both sides do with the bytes that they read, whichever way they read them.

use std::hint::black_box;
use std::ops::Range;
use std::sync::atomic::Ordering;

use driver::{HANDLED, Result};

use crate::frame::{Frame, Kind, message, put, put_message};

/// Whether all that is there is answered by one write, or each frame by one.
pub(crate) const BATCHED: bool = true;
pub(crate) const EACH: bool = false;

/// Whether the small message is read and written, or sent back as the bytes that came.
pub(crate) const TYPED: bool = true;
pub(crate) const BYTES: bool = false;

const FIRST: usize = 16 << 10;
const MOST: usize = 256 << 10;

/// The bytes that have come and were not used yet. They are never zeroed twice.
pub(crate) struct Input {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; FIRST], start: 0, end: 0 }
    }

    /// Where the next bytes go: there is room for all of the frame that has begun.
    #[inline]
    pub(crate) fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        let wanted = match Frame::at(self.start, &self.bytes[..self.end]) {
            Ok(_) => 0,
            Err(length) => length,
        };
        let full = self.start + wanted > self.bytes.len() || self.end == self.bytes.len();
        if full {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if wanted > self.bytes.len() {
                self.bytes.resize(wanted, 0);
            }
        }
        &mut self.bytes[self.end..]
    }

    /// So many bytes have come.
    #[inline]
    pub(crate) fn filled(&mut self, length: usize) {
        self.end += length;
        // There was more than there was room for: next time there is more room.
        if self.end == self.bytes.len() && self.bytes.len() < MOST {
            self.bytes.resize(self.bytes.len() * 2, 0);
        }
    }

    /// The next whole frame.
    #[inline]
    pub(crate) fn frame(&mut self) -> Option<Frame> {
        let frame = Frame::at(self.start, &self.bytes[..self.end]).ok()?;
        self.start = frame.all.end;
        Some(frame)
    }

    #[inline]
    pub(crate) fn at(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }
}

/// What a server writes next.
pub(crate) enum Step {
    /// These bytes of the input.
    Same(Range<usize>),
    /// The output.
    Output,
    /// Nothing; more has to come.
    Read,
}

/// The server's side of a connection.
pub(crate) struct Session<const BATCH: bool, const TYPES: bool> {
    pub(crate) input: Input,
    pub(crate) output: Vec<u8>,
}

impl<const BATCH: bool, const TYPES: bool> Session<BATCH, TYPES> {
    pub(crate) fn new() -> Self {
        Self { input: Input::new(), output: Vec::new() }
    }

    /// Handles what is there, as far as one write answers it.
    pub(crate) fn step(&mut self) -> Result<Step> {
        self.output.clear();
        let mut one_way = 0;
        let mut same: Option<Range<usize>> = None;
        loop {
            let before = self.input.start;
            let Some(frame) = self.input.frame() else { break };
            let comes_back = matches!(frame.kind, Kind::Call | Kind::Echo);
            if comes_back && !(TYPES && frame.kind == Kind::Call) {
                if !self.output.is_empty() {
                    // What was answered before goes first.
                    self.input.start = before;
                    break;
                }
                same.get_or_insert(frame.all.start..0).end = frame.all.end;
            } else {
                if same.is_some() {
                    self.input.start = before;
                    break;
                }
                match frame.kind {
                    Kind::OneWay => {
                        if TYPES {
                            black_box(message(self.input.at(frame.body()))?);
                        }
                        one_way += 1;
                        continue;
                    }
                    Kind::Count => {
                        let handled = HANDLED.fetch_add(one_way, Ordering::Relaxed) + one_way;
                        one_way = 0;
                        put(Kind::Count, &handled.to_le_bytes(), &mut self.output);
                    }
                    Kind::Call | Kind::Echo => {
                        let message = message(self.input.at(frame.body()))?;
                        put_message(Kind::Call, &message, &mut self.output)?;
                    }
                }
            }
            if !BATCH {
                break;
            }
        }
        if one_way > 0 {
            HANDLED.fetch_add(one_way, Ordering::Relaxed);
        }
        Ok(match same {
            Some(range) => Step::Same(range),
            None if self.output.is_empty() => Step::Read,
            None => Step::Output,
        })
    }
}
