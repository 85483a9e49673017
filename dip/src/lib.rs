//! Typed messaging between processes.

pub mod codec;
mod mtype;
pub mod value;

pub use mtype::Mtype;
pub use value::Value;
