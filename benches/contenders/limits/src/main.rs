//! The limits: plain sockets, with nothing in between.

mod asynchronous;
mod blocking;
mod frame;
mod requests;
mod session;

use std::process::ExitCode;

use driver::{Kind, Runtime, Variant};

use asynchronous::Asynchronous;
use blocking::Blocking;
use session::{BATCHED, BYTES, EACH, TYPED};

fn main() -> ExitCode {
    let std = Variant::of::<Blocking>("std", Runtime::Blocking)
        .note("blocking std sockets; many frames in one write; bytes, which nobody reads");
    let each = Variant::of::<Asynchronous<EACH, BYTES>>("tokio", Runtime::CurrentThread)
        .note("raw tokio; one write for each frame; bytes, which nobody reads");
    let batched =
        Variant::of::<Asynchronous<BATCHED, BYTES>>("tokio batched", Runtime::CurrentThread)
            .note("raw tokio; many frames in one write; bytes, which nobody reads");
    let typed = Variant::of::<Asynchronous<BATCHED, TYPED>>("tokio typed", Runtime::CurrentThread)
        .note("raw tokio; many frames in one write; bincode on both sides: the typed limit");
    let [each, batched] = [each, batched].map(|variant| variant.crates(&["tokio"]));
    let typed = typed.crates(&["tokio", "bincode"]);
    driver::main(&[std, each, batched, typed].map(|variant| variant.kind(Kind::Limit)))
}
