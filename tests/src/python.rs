//! Python with the package deepfos-ipc, for the scripts in `tests/python`.
//!
//! The package lives in an environment of its own under `target/python`, made when a test first asks
//! for it. The variable `PYTHON` names another interpreter than `python3`.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::process;

const REQUIREMENTS: &str = include_str!("../python/requirements.txt");

/// Prints the version; the package needs 3.8.
const VERSION: &str = "import sys; version = '%d.%d' % sys.version_info[:2]; print(version); \
                       sys.exit('this is ' + version if sys.version_info < (3, 8) else 0)";

/// An interpreter that can import the package.
#[derive(Debug)]
pub struct Python {
    program: PathBuf,
}

/// Python with the package. Where there is none, the caller has nothing to test and returns: that is
/// said aloud.
///
/// # Panics
///
/// Where there is none and the variable `CI` is set.
pub fn python() -> Option<&'static Python> {
    static PYTHON: OnceLock<Result<Python, String>> = OnceLock::new();
    match PYTHON.get_or_init(set_up) {
        Ok(python) => Some(python),
        Err(why) if env::var_os("CI").is_some() => panic!("no Python: {why}"),
        Err(why) => {
            say(&format!("SKIPPED, as there is no Python with deepfos-ipc: {why}"));
            None
        }
    }
}

impl Python {
    /// Runs a script of `tests/python`.
    pub fn command(&self, script: &str) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(&self.program);
        command.arg("-B").arg(folder().join("python").join(script));
        command
    }

    /// Runs a script of `tests/python` that reads JSON and prints JSON.
    ///
    /// # Panics
    ///
    /// When it fails, or has not ended within `limit`; then it is killed.
    pub async fn run<T: DeserializeOwned>(
        &self,
        script: &str,
        input: &impl Serialize,
        limit: Duration,
    ) -> T {
        let mut command = self.command(script);
        let input = serde_json::to_vec(input).expect("JSON");
        let output = process::run(&mut command, &input, limit).await;
        serde_json::from_slice(&output).unwrap_or_else(|error| {
            panic!("{script}: {error} in {:?}", String::from_utf8_lossy(&output))
        })
    }
}

/// Makes the environment, unless it is there. One test process does, the others wait.
fn set_up() -> Result<Python, String> {
    let base = env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    let version = run(&base, ["-c", VERSION]).map_err(|why| format!("Python 3.8+: {why}"))?;
    let environments = folder().with_file_name("target").join("python");
    let home = environments.join(&version);
    let program = home.join("bin/python");
    let ready = home.join("requirements.txt");

    let io = |error: std::io::Error| format!("{}: {error}", environments.display());
    fs::create_dir_all(&environments).map_err(io)?;
    let lock = File::create(environments.join(format!("{version}.lock"))).map_err(io)?;
    lock.lock().map_err(io)?;

    let installed = fs::read_to_string(&ready).is_ok_and(|text| text == REQUIREMENTS);
    // An environment dies with the interpreter it was made by.
    if !installed || run(program.as_os_str(), ["-c", "import dip"]).is_err() {
        let what = REQUIREMENTS.trim();
        say(&format!("installing {what} for Python {version} in {}", home.display()));
        run(&base, ["-m".as_ref(), "venv".as_ref(), "--clear".as_ref(), home.as_os_str()])?;
        let requirements = folder().join("python/requirements.txt");
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        let pip = pip.iter().map(OsStr::new).chain([requirements.as_os_str()]);
        run(program.as_os_str(), pip)?;
        fs::write(&ready, REQUIREMENTS).map_err(io)?;
    }
    Ok(Python { program })
}

/// What a program prints, or why it fails.
fn run<A: AsRef<OsStr>>(
    program: &OsStr,
    arguments: impl IntoIterator<Item = A>,
) -> Result<String, String> {
    let program = Path::new(program);
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{}: {error}", program.display()))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: {}: {}", program.display(), output.status, errors.trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Prints a line that is seen also when the test passes: only the macros are captured.
fn say(line: &str) {
    _ = writeln!(std::io::stderr(), "{line}");
}

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
