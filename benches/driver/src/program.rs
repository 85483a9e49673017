//! The program of a contender: server or client by its arguments.

use std::ffi::OsString;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::contender::Result;
use crate::line::Line;
use crate::measure::Job;
use crate::usage::{Usage, allow_many_files};
use crate::variant::{Variant, describe};
use crate::workload::Workload;

/// All of a contender's `main`.
pub fn main(variants: &[Variant]) -> ExitCode {
    match run(variants) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", program().display());
            ExitCode::FAILURE
        }
    }
}

fn run(variants: &[Variant]) -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let mut next = || arguments.next().ok_or("an argument is missing; see the crate `driver`");
    let role = next()?;
    if role == "describe" {
        println!("{}", serde_json::to_string(&describe(variants))?);
        return Ok(());
    }
    let name = next()?;
    let variant = variants
        .iter()
        .find(|variant| name == variant.name())
        .ok_or_else(|| format!("no variant is called {}", name.display()))?;
    let place = PathBuf::from(next()?);
    if role == "server" {
        start(next().ok())?;
        return variant.serve(&place, Ready(()));
    }
    let job = Job {
        workload: next()?.to_str().and_then(Workload::from_id).ok_or("no such workload")?,
        warm_up: millis(&next()?)?,
        window: millis(&next()?)?,
    };
    start(next().ok())?;
    variant.measure(&place, job, &mut Talk(()))
}

fn millis(text: &OsString) -> Result<Duration> {
    Ok(Duration::from_millis(text.to_str().ok_or("no number")?.parse()?))
}

fn program() -> PathBuf {
    let path = std::env::args_os().next().unwrap_or_default();
    Path::new(&path).file_name().map(PathBuf::from).unwrap_or_default()
}

/// Before there are threads: they inherit on which core they may run.
fn start(cpu: Option<OsString>) -> Result<()> {
    allow_many_files()?;
    if let Some(cpu) = cpu {
        let mut cpus = CpuSet::new();
        cpus.set(cpu.to_str().ok_or("no number")?.parse()?)?;
        sched_setaffinity(Pid::from_raw(0), &cpus)?;
    }
    Ok(())
}

/// Handed to a server, to be given back when clients may connect.
#[derive(Debug)]
pub struct Ready(());

impl Ready {
    /// From now on the orchestrator may ask what the server has used; the process ends when it asks
    /// no more.
    ///
    /// # Errors
    ///
    /// When nobody listens.
    pub fn listening(self) -> Result<()> {
        self.listening_until(|| std::process::exit(0))
    }

    /// The same for a server that would leave something behind: when the orchestrator asks no more,
    /// `end` makes it return.
    ///
    /// # Errors
    ///
    /// When nobody listens.
    pub fn listening_until(self, end: impl FnOnce() + Send + 'static) -> Result<()> {
        say(&Line::Listening)?;
        thread::spawn(|| {
            let mut lines = io::stdin().lock().lines();
            while let Some(Ok(_)) = lines.next() {
                if Usage::now().and_then(|usage| say(&Line::Usage(usage))).is_err() {
                    break;
                }
            }
            end();
        });
        Ok(())
    }
}

/// A client's talk with the orchestrator.
pub(crate) struct Talk(());

impl Talk {
    pub(crate) fn say(&mut self, line: &Line) -> Result<()> {
        say(line)
    }

    /// Waits for a line, or for the end of them.
    pub(crate) fn wait(&mut self) -> Result<()> {
        io::stdin().lock().read_line(&mut String::new())?;
        Ok(())
    }
}

fn say(line: &Line) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(line)?)?;
    Ok(out.flush()?)
}
