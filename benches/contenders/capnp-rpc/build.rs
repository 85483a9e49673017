//! Generates the code of `bench.capnp`.

fn main() -> Result<(), capnp::Error> {
    println!("cargo::rerun-if-changed=bench.capnp");
    capnpc::CompilerCommand::new().file("bench.capnp").run()
}
