//! Buffers that are used again: small ones for the bodies of messages, a large one for each thread
//! that reads.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::mem;
use std::ops::{Deref, DerefMut};

/// Buffers that a thread keeps.
const KEPT: usize = 128;

/// A buffer that has grown beyond this is not kept, in bytes.
const LARGE: usize = 4 << 10;

/// What a new one has room for, in bytes: most messages.
const SMALL: usize = 128;

/// What is read at once at most, in bytes: more than the longest frame that has to be there whole.
pub(crate) const READ: usize = 64 << 10;

thread_local! {
    static FREE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static READING: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// An empty buffer with room for [`READ`] bytes.
pub(crate) fn to_read() -> Vec<u8> {
    let kept = READING.try_with(Cell::take).unwrap_or_default();
    if kept.capacity() < READ { Vec::with_capacity(READ) } else { kept }
}

/// Keeps such a buffer for whoever reads next on this thread.
pub(crate) fn was_read(mut buffer: Vec<u8>) {
    if (READ..=2 * READ).contains(&buffer.capacity()) {
        buffer.clear();
        // A thread that ends keeps nothing.
        _ = READING.try_with(|kept| kept.set(buffer));
    }
}

/// A buffer that goes back to its thread when it is dropped.
#[derive(Default)]
pub(crate) struct Buffer(Vec<u8>);

impl Buffer {
    /// An empty buffer with room for a small body.
    #[inline]
    pub(crate) fn new() -> Self {
        let kept = FREE.try_with(|free| free.borrow_mut().pop());
        Self(kept.ok().flatten().unwrap_or_else(|| Vec::with_capacity(SMALL)))
    }

    /// A copy of these bytes.
    #[inline]
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut buffer = Self::new();
        buffer.extend_from_slice(bytes);
        buffer
    }

    /// The bytes, which do not come back.
    pub(crate) fn into_vec(mut self) -> Vec<u8> {
        mem::take(&mut self.0)
    }
}

impl Drop for Buffer {
    #[inline]
    fn drop(&mut self) {
        if self.0.capacity() == 0 || self.0.capacity() > LARGE {
            return;
        }
        let mut buffer = mem::take(&mut self.0);
        buffer.clear();
        // A thread that ends keeps nothing.
        _ = FREE.try_with(|free| {
            let mut buffers = free.borrow_mut();
            if buffers.len() < KEPT {
                buffers.push(buffer);
            }
        });
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        Self::of(&self.0)
    }
}

impl PartialEq for Buffer {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Buffer {}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_empty() {
        let first = Buffer::of(b"body");
        let at = first.as_ptr();
        drop(first);
        let second = Buffer::new();
        assert!(second.is_empty());
        assert_eq!(second.as_ptr(), at);
    }

    #[test]
    fn a_large_buffer_is_not_kept() {
        drop(Buffer::of(&[0; LARGE + 1]));
        assert!(Buffer::new().capacity() <= LARGE);
    }

    #[test]
    fn a_thread_reads_into_the_same_buffer_again() {
        let mut first = to_read();
        first.push(1);
        let at = first.as_ptr();
        let second = to_read();
        assert_ne!(second.as_ptr(), at);
        was_read(first);
        let again = to_read();
        assert_eq!((again.as_ptr(), again.len()), (at, 0));
    }

    #[test]
    fn a_buffer_that_is_given_away_is_not_kept() {
        let first = Buffer::of(b"body").into_vec();
        assert_ne!(Buffer::new().as_ptr(), first.as_ptr());
    }
}
