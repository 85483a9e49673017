//! deepfos-ipc in Python, without its log: a Python client against a Python server, and against
//! dip's, on the classic wire. What runs in Python is `bench.py`, which takes the place of this
//! program.

use std::env;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use dip::builtin::{Json, Stdout};
use dip::{Server, handler};
use driver::{Contender, Message, Ready, Result, Runtime, Variant, Workload};

const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/python/bin/python");
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bench.py");

const IN_PYTHON: &str = "deepfos-ipc";
const PYTHON_TO_RUST: &str = "python → dip";

#[handler]
async fn small(Json(message): Json<Message>) {
    std::hint::black_box(message);
}

#[handler]
async fn body(Stdout(text): Stdout) {
    std::hint::black_box(text);
}

struct Classic;

impl Contender for Classic {
    type Message = Message;

    /// What comes back is an acknowledgement: there are no one-way messages.
    const WORKLOADS: &[Workload] = &[
        Workload::Latency,
        Workload::Pipelined,
        Workload::Connections,
        Workload::Body64K,
        Workload::Body1M,
        Workload::Idle,
        Workload::Connect,
    ];

    async fn serve(place: &Path, ready: Ready) -> Result<()> {
        let server = Server::builder(place).bind().await?;
        ready.listening()?;
        Ok(server.run().await?)
    }

    async fn connect(_: &Path) -> Result<Self> {
        driver::unsupported().await
    }

    async fn call(&mut self, _: Message) -> Result<Message> {
        driver::unsupported().await
    }
}

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    if let (Some(role), Some(variant)) = (arguments.next(), arguments.next())
        && (role == "client" || variant == IN_PYTHON)
    {
        let error = Command::new(PYTHON).arg(PROGRAM).arg(role).args(arguments).exec();
        eprintln!("{PYTHON}: {error}");
        return ExitCode::FAILURE;
    }
    let version = python().unwrap_or_default();
    let variants = [
        Variant::of::<Classic>(IN_PYTHON, Runtime::CurrentThread).note(
            "Python on both sides; JSON; the reply is an acknowledgement; w4: text, twice there",
        ),
        Variant::of::<Classic>(PYTHON_TO_RUST, Runtime::CurrentThread)
            .crates(&["dip-ipc"])
            .note("the same Python client; the server is that of `dip ct`"),
    ];
    driver::main(&variants.map(|variant| variant.also(version.clone())))
}

/// Which versions run there.
fn python() -> Result<String> {
    let print = "import platform, importlib.metadata as m; \
         print('deepfos-ipc', m.version('deepfos-ipc') + ', Python', platform.python_version())";
    let output = Command::new(PYTHON).args(["-c", print]).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
