//! What messages may cost, counted: figures that a clock can't give on a busy machine.
//!
//! A binary of its own, for its allocator counts.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod allocations;
mod codec;
