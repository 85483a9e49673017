//! A real Python worker that uses deepfos-ipc, unchanged, talks to a dip server.
//!
//! On first use it makes a virtual environment under `target/` and installs deepfos-ipc there. It
//! needs Python 3.8 or newer.
//!
//! ```text
//! cargo run --example python_worker
//! ```

use std::path::{Path, PathBuf};
use std::process::Command;

use dip::builtin::{Json, Pickle, Stdout, SubtaskError, TaskUpdate};
use dip::{Peer, Rejection, Server, Value, handler};
use serde::{Deserialize, Serialize};

/// The worker: what users of the package have today.
const WORKER: &str = r#"
import asyncio, math, sys
from loguru import logger
logger.remove()
from dip import Client
from dip.errors import ResponseError

async def main():
    cli = Client(sys.argv[1], id="0e000000-0000-4000-8000-000000000001")
    await cli.send_msg("O", "hello from Python")
    await cli.send_json({"task": "mean", "done": 0.25, "mean": math.nan})
    await cli.send_msg("P", {"rows": (1, 2, 3), "seen": {"a"}, "big": 2 ** 70})
    await cli.send_msg("U", [{"task": "mean", "state": "done"}])
    await cli.send_msg("e", {"arg": "x=1", "subtask_err": "ValueError: no rows"})
    try:
        await cli.send_json({"task": "mean", "done": 2.0})
    except ResponseError as exc:
        print("python: the server refused:", exc)
    cli.quit()

asyncio.run(main())
"#;

#[derive(Debug, Serialize, Deserialize)]
struct Progress {
    task: String,
    done: f64,
    mean: Option<f64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct TaskState {
    task: String,
    state: String,
}

#[handler]
async fn line(Stdout(text): Stdout, peer: Peer) {
    println!("rust: {text} (pid {:?}, id {:?})", peer.pid(), peer.client_id());
}

#[handler]
async fn progress(Json(progress): Json<Progress>) -> Result<(), Rejection> {
    if progress.done > 1.0 {
        // Python code matches on the class of the error.
        return Err(Rejection::named("ValueError", "done is a share: at most 1"));
    }
    println!("rust: {progress:?}");
    Ok(())
}

#[handler]
async fn pickled(Pickle(value): Pickle<Value>) {
    println!("rust: a pickle, read as data: {value:?}");
}

#[handler]
async fn states(TaskUpdate(states): TaskUpdate<TaskState>) {
    println!("rust: {states:?}");
}

#[handler]
async fn failed(error: SubtaskError) {
    println!("rust: {error:?}");
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let python = python_with_deepfos_ipc()?;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("run.sock");
    let bound = Server::builder(&path).bind().await?;
    let server = bound.server();
    let serving = tokio::spawn(bound.run());
    let status =
        tokio::process::Command::new(python).arg("-c").arg(WORKER).arg(&path).status().await?;
    server.shutdown();
    serving.await??;
    if status.success() { Ok(()) } else { Err(format!("the worker failed: {status}").into()) }
}

/// The interpreter of a private environment that has the package.
fn python_with_deepfos_ipc() -> Result<PathBuf, Box<dyn std::error::Error>> {
    let environment = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/python-example");
    let (python, ready) = (environment.join("bin/python"), environment.join("ready"));
    if !ready.exists() {
        println!("installing deepfos-ipc 1.3.1 into target/python-example (once)");
        run(Command::new("python3").arg("-m").arg("venv").arg("--clear").arg(&environment))?;
        let install = ["-m", "pip", "install", "--quiet", "deepfos-ipc==1.3.1"];
        run(Command::new(&python).args(install))?;
        std::fs::write(ready, "")?;
    }
    Ok(python)
}

fn run(command: &mut Command) -> Result<(), Box<dyn std::error::Error>> {
    let status = command.status().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} failed: {status}").into()) }
}
