//! Typed messaging between processes.

#[cfg(not(unix))]
compile_error!(
    "dip needs a Unix system: it listens on Unix sockets and asks the kernel who connects"
);

pub mod codec;
mod mtype;
// Until the client and the server are here, only the tests listen and connect.
#[cfg_attr(not(test), allow(dead_code, unused_imports))]
mod transport;
pub mod value;

pub use mtype::Mtype;
pub use transport::{
    Absence, Access, Address, AddressError, BindError, ConnectError, Credentials, Refusal,
};
pub use value::Value;
