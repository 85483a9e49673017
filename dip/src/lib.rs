//! Typed messaging between processes.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(not(unix))]
compile_error!(
    "dip needs a Unix system: it listens on Unix sockets and asks the kernel who connects"
);

// The expansions of dip's macros say `::dip`; so does dip itself.
extern crate self as dip;

pub mod builtin;
#[cfg(feature = "cli")]
pub mod cli;
mod client;
pub mod codec;
mod connection;
mod context;
mod dispatch;
mod error;
mod handler;
mod limits;
mod macros;
mod mtype;
mod peer;
mod pool;
mod protocol;
mod registry;
mod reply;
mod server;
mod session;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod tagged;
mod transport;
pub mod value;
mod wire;

#[doc(hidden)]
pub mod private;

pub use client::{Client, ClientBuilder, Sending, Wire};
pub use context::{Context, FromContext, State, StateType};
pub use dip_derive::{Protocol, handler};
pub use error::{CallError, Error, Fault, Reason, Remote, Result};
pub use handler::Unrouted;
pub use limits::{ByteSize, Limits, ParseByteSizeError};
pub use mtype::Mtype;
pub use peer::{Peer, PeerId};
pub use protocol::{NoError, Once, Protocol, Shape};
pub use registry::Router;
pub use reply::{Code, Rejection};
pub use server::{Bound, CloseReason, Server, ServerBuilder, Stats, TypeStats, Unhandled, signals};
pub use transport::{
    Absence, Access, Address, AddressError, BindError, ConnectError, Credentials, Refusal,
};
pub use value::Value;
