//! What the expansions of the macros name. Not part of the public API.

pub use inventory;

pub use crate::handler::{
    Ack, Argument, HandlerEntry, Message, Order, Request, Running, a_message, an_extractor,
    any_message,
};
pub use crate::protocol::{Claim, ProtocolEntry};
