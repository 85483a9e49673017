//! Typed messages between the processes of one machine: derive a message, annotate a handler, serve.
//!
//! ```rust,standalone_crate
//! use dip::{Client, Protocol, Server, handler};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize, Protocol)]
//! #[mtype(b'N')]
//! struct Note {
//!     text: String,
//! }
//!
//! #[handler]
//! async fn note(note: Note) {
//!     println!("{}", note.text);
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> dip::Result<()> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("run.sock");
//! let server = Server::builder(&path).bind().await?;
//! tokio::spawn(server.run());
//!
//! let client = Client::connect(&path).await?;
//! client.send(&Note { text: "hi".into() }).await?; // returns when the handler has returned
//! client.close().await
//! # }
//! ```
//!
//! * **A message** is a type with [`#[derive(Protocol)]`](derive@Protocol): `#[mtype(…)]` says which
//!   message it is, `#[protocol(…)]` how it travels. The messages of the Python package deepfos-ipc
//!   are in [`builtin`], the codecs in [`codec`], any plain Python value is a [`Value`].
//! * **A handler** is a function with [`#[handler]`](macro@handler). Its first argument is the message;
//!   further ones are extractors: [`State`], [`Peer`], [`Context`], [`Server`], your own
//!   ([`FromContext`]). It returns nothing or a `Result`; a [`Rejection`] takes any error.
//! * **A server** is [`serve!`], or [`Server::builder`] where there are options. It listens on a Unix
//!   socket, or on TCP for the same machine; [`Access`] says who may connect, [`Limits`] what they
//!   may send.
//! * **A client** is [`Client`]. Every outcome of a send says whether the message may have been
//!   handled: [`CallError`].
//!
//! # The wire
//!
//! dip speaks the classic wire of deepfos-ipc 1.3.1, byte for byte, as server and as client: frames of
//! a type byte, a length and a body, each answered by `ok` or by an error text. It carries messages
//! that reply `()`.
//!
//! # What it says
//!
//! dip logs through [`tracing`](https://docs.rs/tracing): what goes wrong as warnings; each message as
//! an event of the target `dip::message` at the level debug, with the fields `peer`, `mtype`, `name`,
//! `bytes`, `took` and `outcome`, never its body. [`Server::stats`] has the sums.
//!
//! # Features
//!
//! * `bincode` (default): the default codec. Without it every message names its codec.
//! * `cli`: the program `dip` and what it needs.
//!
//! # Platforms
//!
//! Unix: Linux is tested. Both flavours of the tokio runtime work; in a `panic = "abort"` build a panic
//! in a handler ends the process.
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
mod guard;
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
mod service;
mod session;
mod transport;
pub mod value;
mod wire;

#[doc(hidden)]
pub mod private;

pub use client::{Client, ClientBuilder, Sending, Wire};
pub use context::{Context, FromContext, State, StateType};
#[doc = include_str!("docs/protocol.md")]
pub use dip_derive::Protocol;
#[doc = include_str!("docs/handler.md")]
pub use dip_derive::handler;
pub use error::{CallError, Error, Fault, Reason, Remote, Result};
pub use handler::Unrouted;
pub use limits::{ByteSize, Limits, ParseByteSizeError};
pub use mtype::Mtype;
pub use peer::{Peer, PeerId};
pub use protocol::{Acknowledged, NoError, Once, Protocol, Shape};
pub use registry::Router;
pub use reply::{Code, Rejection};
pub use server::{Bound, Server, ServerBuilder, signals};
pub use service::{CloseReason, Stats, TypeStats, Unhandled};
pub use transport::{Absence, Access, Address, AddressError, BindError, ConnectError};
pub use value::Value;

/// The type of client ids, of the crate `uuid`.
pub use uuid::Uuid;

/// Shared bytes, of the crate `bytes`: what the codec `raw` carries.
pub use bytes::Bytes;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
