//! Typed messages between the processes of one machine: derive a message, annotate a handler, serve.
//!
//! ```rust,standalone_crate
//! use dip::{Client, Protocol, Server, handler};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize, Protocol)]
//! #[mtype("text.count")]
//! #[protocol(reply = usize)]
//! struct CountWords {
//!     text: String,
//! }
//!
//! #[handler]
//! async fn count_words(message: CountWords) -> usize {
//!     message.text.split_whitespace().count()
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
//! let words = client.call(&CountWords { text: "over a real socket".into() }).await?;
//! assert_eq!(words, 4);
//! client.close().await
//! # }
//! ```
//!
//! * **A message** is a type with [`#[derive(Protocol)]`](derive@Protocol): `#[mtype(…)]` says which
//!   message it is, `#[protocol(…)]` how it travels: its codec, its reply, its error, its deadline. The
//!   messages of the Python package deepfos-ipc are in [`builtin`], the codecs in [`codec`], any plain
//!   Python value is a [`Value`]. What may change in a message and what may not, [`schema`] tells.
//! * **A handler** is a function with [`#[handler]`](macro@handler). Its first argument is the message;
//!   further ones are extractors: [`State`], [`Peer`], [`Context`], [`Server`], your own
//!   ([`FromContext`]). It returns the reply, or a `Result` with the declared error or with a
//!   [`Rejection`], which takes any error.
//! * **A server** is [`serve!`], or [`Server::builder`] where there are options. It listens on a Unix
//!   socket, on TCP for the same machine, or on what it has inherited ([`Address`]); [`Access`] says
//!   who may connect, [`Limits`] what they may send. [`Connection::over`] serves one stream that is
//!   there already.
//! * **A client** is [`Client`], or [`blocking::Client`] where there is no runtime. It
//!   [`call`](Client::call)s and gets the reply, [`send`](Client::send)s and gets an acknowledgement,
//!   or [`notify`](Client::notify)s one-way. Every outcome says whether the message may have been
//!   handled: [`CallError`].
//! * **A peer** is the other end of a connection: [`Peer`] has the same methods. A handler calls back
//!   through the one that it takes, a server finds those that are connected by [`Server::peers`], and a
//!   client is called when it has a [`router`](ClientBuilder::router).
//!
//! # Deadlines and cancellation
//!
//! A message has the time that its type declares, that [`Call::timeout`] gives it, or its client's. The
//! handler knows it ([`Context::deadline`]), and what it sends through its own [`Peer`], or within
//! [`Context::scope`], has no more. When the time is over, the call is dropped or its connection lost,
//! the handler is dropped as well, unless it is `no_cancel`.
//!
//! # The two wires
//!
//! One listener speaks both; the first byte of a connection tells them apart.
//!
//! The native wire carries everything above: any number of messages at once on one connection, in both
//! directions, each with its deadline, with limits and credit instead of queues that grow.
//!
//! The classic wire is that of deepfos-ipc 1.3.1, byte for byte: frames of a type byte, a length and a
//! body, each answered by `ok` or by an error text. It carries messages from clients whose type is a
//! byte and whose reply is `()`. A client finds out which wire its server speaks, and falls back
//! ([`Client::wire`], [`ClientBuilder::wire`]); what the classic one cannot carry is
//! [`Reason::NotSupported`], at once. [`ServerBuilder::classic`] and [`ServerBuilder::native`] switch
//! one of them off.
//!
//! # What it says
//!
//! dip logs through [`tracing`](https://docs.rs/tracing): what goes wrong as warnings; each message as
//! an event of the target `dip::message` at the level debug, with the fields `peer`, `mtype`, `name`,
//! `bytes`, `took` and `outcome`, never its body. [`Server::stats`] has the sums.
//!
//! # Features
//!
//! * `bincode` (default): the default codec, and that of declared errors. Without it every message
//!   names its codec, and declared errors arrive as their class and text.
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

pub mod blocking;
mod buffer;
pub mod builtin;
mod call;
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
mod link;
mod macros;
mod mtype;
mod peer;
mod pool;
mod process;
mod protocol;
mod registry;
mod reply;
pub mod schema;
mod server;
mod service;
mod session;
mod transport;
pub mod value;
mod wire;

#[doc(hidden)]
pub mod private;

pub use call::Call;
pub use client::{Client, ClientBuilder, Wire};
pub use context::{Context, FromContext, Scoped, State, StateType};
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
pub use server::{Bound, Broadcast, Connection, Server, ServerBuilder, Slow, signals};
pub use service::{ClientGone, CloseReason, Stats, TypeStats, Unhandled};
pub use transport::{
    Absence, Access, Address, AddressError, BindError, ConnectError, Duplex, InheritError, pair,
};
pub use value::Value;

/// The type of client ids, of the crate `uuid`.
pub use uuid::Uuid;

/// Shared bytes, of the crate `bytes`: what the codec `raw` carries.
pub use bytes::Bytes;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
