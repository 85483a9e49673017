//! What several tests share.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on fails")]

pub mod death;
pub mod holding;
pub mod leaving;
pub mod nesting;
pub mod process;
pub mod python;
pub mod recording;
pub mod serving;
pub mod step;
pub mod storm;
pub mod valve;
pub mod versions;
