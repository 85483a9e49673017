//! The macros of [dip](https://docs.rs/dip-ipc): use them through it, where they are described.
#![forbid(unsafe_code)]

mod attr;
mod codec;
mod crate_path;
mod errors;
mod glue;
mod handler;
mod mtype;
mod options;
mod protocol;
mod signature;
mod span;
mod suggest;
mod units;

use proc_macro::TokenStream;

#[allow(missing_docs, reason = "documented where dip exports it")]
#[proc_macro_derive(Protocol, attributes(mtype, protocol))]
pub fn protocol(item: TokenStream) -> TokenStream {
    protocol::derive(item.into()).into()
}

#[allow(missing_docs, reason = "documented where dip exports it")]
#[proc_macro_attribute]
pub fn handler(options: TokenStream, item: TokenStream) -> TokenStream {
    handler::attribute(options.into(), &item.into()).into()
}
