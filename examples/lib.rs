//! The examples of dip. Each file beside this one runs with `cargo run --example NAME`.
#![forbid(unsafe_code)]
