//! Generates the code of `bench.proto`, by a compiler in Rust: nobody needs protoc.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=../../driver/bench.proto");
    let files = protox::compile(["bench.proto"], ["../../driver"])?;
    // Bodies are handed on as they have come.
    tonic_prost_build::configure().bytes(".").compile_fds(files)?;
    Ok(())
}
