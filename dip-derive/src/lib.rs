//! The macros of [dip](https://docs.rs/dip-ipc).
#![forbid(unsafe_code)]
