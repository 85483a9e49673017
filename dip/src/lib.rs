//! Typed messaging between processes.

pub mod codec;
mod mtype;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod tagged;
pub mod value;

pub use mtype::Mtype;
pub use value::Value;
