//! Bytes and frames: pure functions, no state.

pub(crate) mod classic;
pub(crate) mod hello;
pub(crate) mod native;
