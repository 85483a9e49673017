//! A server in a process of its own: `server ADDRESS [--descriptors N] [--hold N] [--drain-ms N]`.
//!
//! It prints `ready` when it listens. `server ask PATH TEXT` is a client: it sends an `O` and prints
//! what comes back.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use dip::builtin::{Stderr, Stdout};
use dip::{Limits, Router, Server, handler};
use rustix::process::{Resource, Rlimit, setrlimit};

/// A number is so many milliseconds to sleep.
#[handler]
async fn sleep(Stdout(text): Stdout) {
    if let Ok(ms) = text.parse() {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

#[handler]
async fn print(Stderr(text): Stderr) {
    println!("{text}");
}

fn main() -> dip::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, path, text] = &arguments[..]
        && word == "ask"
    {
        return ask(path, text);
    }
    let option = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse::<u64>().ok()
    };
    if let Some(descriptors) = option("--descriptors") {
        let limit = Rlimit { current: Some(descriptors), maximum: Some(descriptors) };
        setrlimit(Resource::Nofile, limit).map_err(std::io::Error::from)?;
    }
    let held = (0..option("--hold").unwrap_or(0)).map(|_| File::open("/dev/null"));
    let _held = held.collect::<Result<Vec<_>, _>>()?;
    let drain = Duration::from_millis(option("--drain-ms").unwrap_or(10_000));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let bound = Server::builder(arguments.first().map_or("", String::as_str))
            .router(Router::new().handler(sleep).handler(print))
            .limits(Limits::default().drain(drain))
            .shutdown(dip::signals())
            .bind()
            .await?;
        println!("ready");
        bound.run().await?;
        println!("stopped");
        Ok(())
    })
}

fn ask(path: &str, text: &str) -> dip::Result<()> {
    let mut socket = UnixStream::connect(path)?;
    let len = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let frame = [&b"O"[..], &len.to_be_bytes(), text.as_bytes()].concat();
    // A server that turned this process away may be gone already; what it said is not.
    _ = socket.write_all(&frame);
    let mut reply = [0; 2048];
    let len = socket.read(&mut reply)?;
    println!("{}", String::from_utf8_lossy(&reply[..len]));
    Ok(())
}
