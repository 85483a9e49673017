//! Behaviour across processes: a test starts this very binary again, in a role.

mod accept;
mod connect;
mod inherited;
mod memory;
mod path;
mod readiness;

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use tokio::time::Instant;

use super::*;

const ROLE: &str = "DIP_TEST_ROLE";
const PATH: &str = "DIP_TEST_PATH";

/// A user that is not the one of the tests.
const NOBODY: u32 = 65534;

/// A directory that only its owner can write to, but everybody enter.
fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let mode = PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(directory.path(), mode).unwrap();
    directory
}

async fn bind(path: &Path) -> Result<Listener, BindError> {
    bind_for(path, Access::same_uid()).await
}

async fn bind_for(path: &Path, access: Access) -> Result<Listener, BindError> {
    Listener::bind(&path.into(), Options { access, ..Options::default() }).await
}

async fn dial(address: &Address) -> Result<Stream, ConnectError> {
    connect(address, &Access::same_uid(), soon()).await
}

/// The next connection; a test that waits in vain fails.
async fn accept(listener: &mut Listener) -> Stream {
    tokio::time::timeout_at(soon(), listener.accept()).await.expect("nobody connected")
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

fn is_root() -> bool {
    let is_root = credentials::own_uid() == 0;
    if !is_root {
        eprintln!("skipped: only root can act as another user");
    }
    is_root
}

/// A child process in a role. Killed when dropped.
struct Actor {
    process: Child,
    says: BufReader<ChildStdout>,
}

impl Actor {
    fn start(role: &str, path: &Path) -> Self {
        Self::spawn(&mut Self::command(role, path))
    }

    fn start_as(uid: u32, role: &str, path: &Path) -> Self {
        Self::spawn(Self::command(role, path).uid(uid).gid(uid))
    }

    fn start_with_umask(umask: &str, role: &str, path: &Path) -> Self {
        let plain = Self::command(role, path);
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("umask {umask}; exec \"$0\" \"$@\""));
        command.arg(plain.get_program()).args(plain.get_args());
        command.envs(plain.get_envs().filter_map(|(key, value)| Some((key, value?))));
        Self::spawn(&mut command)
    }

    fn command(role: &str, path: &Path) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "transport::tests::act", "--nocapture"]);
        command.env(ROLE, role).env(PATH, path).current_dir("/");
        command
    }

    fn spawn(command: &mut Command) -> Self {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let says = BufReader::new(process.stdout.take().unwrap());
        Self { process, says }
    }

    /// What it says next.
    fn says(&mut self) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert_ne!(self.says.read_line(&mut line).unwrap(), 0, "the child is gone");
            if let Some(said) = line.trim_end().strip_prefix('@') {
                return said.to_owned();
            }
        }
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn say(text: impl std::fmt::Display) {
    // libtest has begun the line already.
    println!("\n@{text}");
}

// The child process of other tests; without a role there is nothing to do.
#[tokio::test]
async fn act() {
    let (Ok(role), Some(path)) = (std::env::var(ROLE), std::env::var_os(PATH)) else { return };
    let path = PathBuf::from(path);
    let listener = match role.as_str() {
        "bind" => bind(&path).await,
        "bind for group" => bind_for(&path, Access::group(accept::own_group())).await,
        "bind for all" => bind_for(&path, Access::any_local()).await,
        "bind with few descriptors" => {
            let limit = rustix::process::Rlimit { current: Some(24), maximum: Some(24) };
            rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
            bind(&path).await
        }
        "connect" => {
            match dial(&path.as_path().into()).await {
                Ok(stream) => {
                    say(format!("connected to uid {}", stream.credentials().unwrap().uid));
                }
                Err(error) => say(format!("{error:?}")),
            }
            return wait_for_end_of_stdin();
        }
        _ => panic!("no such role: {role}"),
    };
    let mut listener = match listener {
        Ok(listener) => listener,
        Err(error) => return say(format!("{error:?}")),
    };
    say("bound");
    if role == "bind with few descriptors" {
        accept::keep_and_greet(&mut listener).await;
    }
    wait_for_end_of_stdin();
}

fn wait_for_end_of_stdin() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
