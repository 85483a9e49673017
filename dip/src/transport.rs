//! Sockets: where a server listens, who may connect, and the stream between two processes; in memory
//! and over streams that others have opened, too.
//!
//! These are the only files that know the operating system. In the order data passes: an [`Address`]
//! is bound by a `Listener` or reached by `connect`; both give a `Stream` of bytes together with the
//! credentials of the other end, which an [`Access`] admits or refuses before a byte is read.
//!
//! # Who owns a path
//!
//! A Unix socket outlives its server as a file, and a second server could silently take a live one
//! over. So the owner of `PATH` holds a POSIX record lock on `PATH.lock` for as long as it listens:
//! the kernel drops it when the process dies, however that happens. The lock file itself stays.
//! A server that holds no lock (the Python package) is found by connecting to it. Only a path whose
//! lock is free, on which nobody answers and which is a socket of this user is stale, and removed.

mod access;
mod address;
mod bind;
mod blocking;
mod connect;
mod credentials;
mod foreign;
mod incoming;
mod inherit;
mod listener;
mod lock;
mod memory;
mod plain;
mod readiness;
mod stream;
mod systemd;
mod tcp;
mod unix;

#[cfg(test)]
mod tests;

pub use access::Access;
pub(crate) use access::Refusal;
pub use address::{Address, AddressError};
pub use bind::BindError;
pub(crate) use bind::Options;
pub(crate) use blocking::{Ready, Socket};
pub(crate) use connect::connect;
pub use connect::{Absence, ConnectError};
pub(crate) use credentials::Credentials;
pub use inherit::InheritError;
pub(crate) use listener::Listener;
pub use memory::{Duplex, pair};
pub(crate) use stream::Stream;
