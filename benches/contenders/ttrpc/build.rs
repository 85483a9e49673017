//! Generates the code of `bench.proto`, by a compiler in Rust: nobody needs protoc.

use std::env;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::PathBuf;

use ttrpc_codegen::{Codegen, Customize, ProtobufCustomize};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=../../driver/bench.proto");
    let directory = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    Codegen::new()
        .out_dir(&directory)
        .input("../../driver/bench.proto")
        .include("../../driver")
        .rust_protobuf()
        .customize(Customize { async_all: true, ..Customize::default() })
        .rust_protobuf_customize(ProtobufCustomize::default().gen_mod_rs(true))
        .run()?;
    // With `gen_mod` it would be there already, below an attribute that nobody can include.
    let modules = directory.join("mod.rs");
    writeln!(OpenOptions::new().append(true).open(modules)?, "pub mod bench_ttrpc;")
}
