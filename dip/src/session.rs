//! The state of a connection, without a socket or a clock: bytes and time are passed in.

mod arrivals;
pub(crate) mod classic;
pub(crate) mod handshake;
pub(crate) mod native;
pub(crate) mod reply;
#[cfg(test)]
mod seeds;
