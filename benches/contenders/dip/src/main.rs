//! dip.

mod asynchronous;
mod blocking;
mod classic;
mod messages;
mod spinning;

use std::process::ExitCode;

use driver::{Kind, Runtime, Variant};

use asynchronous::Asynchronous;
use blocking::Blocking;
use classic::Classic;
use spinning::Spinning;

fn main() -> ExitCode {
    let variants = [
        Variant::of::<Asynchronous>("dip ct", Runtime::CurrentThread),
        Variant::of::<Asynchronous>("dip mt", Runtime::MultiThread),
        Variant::of::<Blocking>("dip blocking", Runtime::Blocking)
            .server(Runtime::CurrentThread)
            .note("dip::blocking::Client; the server is that of `dip ct`"),
        Variant::of::<Spinning>("dip spin", Runtime::CurrentThread)
            .on_two_cores()
            .note("both sides look for bytes for 1 ms before they sleep"),
        Variant::of::<Classic>("dip classic", Runtime::CurrentThread)
            .note("the classic wire; the reply is an acknowledgement"),
    ];
    driver::main(&variants.map(|variant| variant.kind(Kind::Dip).crates(&["dip-ipc"])))
}
