//! What several tests share.
#![forbid(unsafe_code)]
