//! Cargo asks for a build script where a manifest has `links`; there is nothing to build.
fn main() {}
