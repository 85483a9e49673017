//! Typed messaging between processes.
#![cfg_attr(docsrs, feature(doc_cfg))]

// The expansions of dip's macros say `::dip`; so does dip itself.
extern crate self as dip;

pub mod builtin;
pub mod codec;
mod context;
mod error;
mod handler;
mod limits;
mod macros;
mod mtype;
mod peer;
mod protocol;
mod registry;
mod reply;
mod transport;
pub mod value;
mod wire;

#[doc(hidden)]
pub mod private;

pub use dip_derive::{Protocol, handler};

pub use context::{Context, FromContext, State, StateType};
pub use error::{CallError, Error, Fault, Reason, Remote, Result};
pub use handler::Unrouted;
pub use limits::{ByteSize, Limits, ParseByteSizeError};
pub use mtype::Mtype;
pub use peer::{Peer, PeerId};
pub use protocol::{NoError, Once, Protocol, Shape};
pub use registry::Router;
pub use reply::{Code, Rejection};
pub use value::Value;
