//! Whether two programs mean the same by a message type: its shape as text, and as a number.
//!
//! Programs that connect over the native wire compare the fingerprints of the message types they both
//! know. A type whose fingerprints differ is refused by its name, before a body of it is misread; all
//! others go on. [`Schema`] says which changes of a type do that.
//!
//! # The canonical text
//!
//! This is algorithm 1. Programs with different algorithms do not compare. A fingerprint is the first
//! eight bytes, big-endian, of the SHA-256 of this text, each line with its line feed:
//!
//! ```text
//! text    = "dip schema 1"  "message " name  "body " codec  "reply " codec  "error " codec
//!                                               lines, in this order; those of streams
//!                                               will stand between reply and error
//! codec   = item { " " item }                   what the codec says, beginning with its name
//! item    = name | shape
//!
//! shape   = [ "#" number "=" ] type             a type that occurs again is numbered, from 1
//!         | "#" number                          and then named by its number
//! type    = "bool" | "i8" … "i128" | "u8" … "u128" | "f32" | "f64" | "char"
//!         | "str" | "bytes" | "unit"
//!         | "option(" shape ")" | "seq(" shape ")" | "map(" shape ", " shape ")"
//!         | "tuple(" [ element { ", " element } ] ")"
//!         | "struct(" [ part { ", " part } ] ")"
//!         | "enum(" [ part { ", " part } ] ")"
//!         | "opaque " name                      a type that does not show its shape
//!         | "_"                                 a type without names, where only names count
//! element = shape [ "; " number ]               as many of them, one after the other
//! part    = name [ " " shape ]                  a field or variant; no shape: "_"
//! name    = one or more of A–Z a–z 0–9 _ -, or any text in double quotes with the escapes of
//!           Rust's `char::escape_default`
//! ```
//!
//! * The name of the message and that of an opaque type are those of Rust, without path and lifetimes.
//!   The names of other types do not count: types of the same shape are one type.
//! * Names of fields and variants are those that travel (`#[serde(rename)]`), aliases among them.
//! * A newtype is what it holds; an array is a tuple; a unit struct is `unit`. A variant is
//!   `unit`, or the shape of what it holds, a tuple or struct if it holds several.
//! * Numbers are given in the order of the text, anew by each `shape` item. Types without parts, and
//!   options and sequences of one, are written again instead.
//! * Where only names count (`json`, `pickle`), fields and variants stand in the order of their
//!   bytes; options, sequences, maps and tuples are the parts that have names, as a tuple if there are
//!   several; everything else is `_`.
//!
//! What the codecs say: `bincode` and a shape; `json` or `pickle` and a shape of names; `text`; `raw`;
//! `unit`; `fields` and how many there are; `list`, the mtype of the elements, and their codec; a codec
//! of your own is its type name unless it has a [`schema`](crate::codec::Codec::schema) function.
//! After an error it is `opaque` and its type name.
//!
//! Worked example:
//!
//! ```rust,standalone_crate
//! # #[cfg(feature = "bincode")] {
//! use dip::{Protocol, schema::Schema};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize, Protocol)]
//! #[mtype("shapes.draw")]
//! #[protocol(reply = u64)]
//! struct Draw {
//!     from: Point,
//!     to: Point,
//!     label: Option<String>,
//!     inside: Vec<Draw>,
//! }
//!
//! #[derive(Serialize, Deserialize)]
//! struct Point {
//!     x: f64,
//!     y: f64,
//! }
//!
//! let schema = Schema::of::<Draw>();
//! assert_eq!(
//!     schema.text(),
//!     "dip schema 1\n\
//!      message Draw\n\
//!      body bincode #1=struct(from #2=struct(x f64, y f64), to #2, label option(str), inside seq(#1))\n\
//!      reply bincode u64\n\
//!      error bincode enum()\n"
//! );
//! assert_eq!(schema.fingerprint(), 0xac03_04ed_2c0a_2da4);
//! # }
//! ```
//!
//! # How shapes are found
//!
//! The `Deserialize` of a type is asked what it would read. Nothing is read: no code sees a value that
//! it would refuse, except for what stands before the last element of a tuple. It is asked a limited
//! number of times. A type is opaque if it
//!
//! * asks the format what comes next: `serde_json::Value`, `#[serde(flatten)]`, `untagged`,
//!   `tag = "…"`; what bincode carries is not among them;
//! * panics, never asks for anything, or stands in a tuple behind a type that takes none of a few
//!   simple values;
//! * has more than 4096 fields, elements and variants, or is nested in over 64 levels, each counting
//!   the types in it once.

mod graph;
mod message;
mod name;
mod recorder;
mod sample;
mod text;
mod trace;
mod walk;

pub use message::Schema;
pub(crate) use name::short;
pub use recorder::{SchemaError, SchemaRecorder};

/// How fingerprints are computed: a number that goes with them.
pub(crate) const ALGORITHM: u16 = 1;

#[cfg(test)]
mod tests;
