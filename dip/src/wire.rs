//! Bytes and frames: pure functions, no state.

pub(crate) mod classic;
