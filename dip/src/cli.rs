//! The command line: `dip listen` and `dip send`.

mod hex;
mod listen;
mod send;
#[doc(hidden)]
pub mod tagged;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// See and send the messages of dip and of deepfos-ipc.
#[derive(Debug, Parser)]
#[command(name = "dip", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Listen(listen::Listen),
    Send(send::Send),
}

/// The stack of each thread: the JSON that is printed for a deep value is nested twice as deep, and
/// `serde_json` walks through it recursively.
pub(crate) const STACK: usize = 16 << 20;

/// Which wire is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum WireArgument {
    /// The wire of deepfos-ipc
    Classic,
    /// dip's own wire
    Native,
}

impl From<WireArgument> for crate::Wire {
    fn from(wire: WireArgument) -> Self {
        match wire {
            WireArgument::Classic => Self::Classic,
            WireArgument::Native => Self::Native,
        }
    }
}

/// Why the program ends with another exit code than 0.
enum Failure {
    /// The arguments are wrong.
    Usage(String),
    /// The other side or the system said no.
    Refused(crate::Error),
}

impl From<crate::Error> for Failure {
    fn from(error: crate::Error) -> Self {
        Self::Refused(error)
    }
}

/// Runs the program `dip` with the arguments of this process.
///
/// Its exit code is 0 when all went well, 1 when the other side or the system said no, 2 when the
/// arguments are wrong.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK).build();
    let done = runtime.map_err(|error| Failure::Refused(error.into())).and_then(|runtime| {
        runtime.block_on(async {
            match arguments.command {
                Command::Listen(listen) => listen.run().await,
                Command::Send(send) => send.run().await,
            }
        })
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(text)) => {
            eprintln!("dip: {text}");
            ExitCode::from(2)
        }
        Err(Failure::Refused(error)) => {
            eprintln!("dip: {error:?}");
            ExitCode::FAILURE
        }
    }
}
