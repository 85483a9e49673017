//! What the expansions of the macros name. Not part of the public API.

pub use inventory;
pub use std::string::String;

pub use bytes::Bytes;

pub use crate::__claim as claim;
pub use crate::codec::{DefaultCodec, RawField, TextField, Undecided};
pub use crate::handler::{
    Acknowledgement, Argument, HandlerEntry, Message, Order, Request, Requests, a_message,
    an_extractor, any_message,
};
pub use crate::protocol::{Claim, ProtocolEntry};
pub use crate::reply::Running;

/// The fields of a record: an array says how many there are, also when there is none.
pub fn fields<const N: usize>(fields: [Option<&str>; N]) -> [Option<&str>; N] {
    fields
}
