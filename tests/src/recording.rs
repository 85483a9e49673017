//! A server of deepfos-ipc, in a process of its own, that tells what it received.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::python::Python;

const LIMIT: Duration = Duration::from_secs(30);

/// The server of `tests/python/serve.py`; dropped is killed.
#[derive(Debug)]
pub struct Recording {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// It ends when this does.
    stdin: ChildStdin,
    log: Option<JoinHandle<String>>,
}

/// What its callback was given.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct Recorded {
    /// The id that the client claims.
    pub id: Option<String>,
    /// The type.
    pub mtype: char,
    /// The value, as Python prints it.
    pub value: String,
}

impl Recording {
    /// Serves `path`, and returns when it does. With `string_mapping` it knows, as `s`, the example of the
    /// package's README: `h` is `Hello World`.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn start(python: &Python, path: &Path, string_mapping: bool) -> Self {
        let options = json!({"path": path, "string_mapping": string_mapping});
        Self::spawn(python.command("serve.py"), &options).await
    }

    /// Serves `path` and keeps what the package logs, as it does unless told otherwise.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn start_logging(python: &Python, path: &Path) -> Self {
        let mut command = python.command("serve.py");
        command.stderr(Stdio::piped());
        Self::spawn(command, &json!({"path": path, "log": true})).await
    }

    async fn spawn(mut command: Command, options: &serde_json::Value) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let log = child.stderr.take().map(|mut log| {
            tokio::spawn(async move {
                let mut text = String::new();
                log.read_to_string(&mut text).await.unwrap();
                text
            })
        });
        stdin.write_all(format!("{options}\n").as_bytes()).await.unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut recording = Self { child, lines, stdin, log };
        let line = recording.line().await;
        assert!(line.starts_with(r#"{"listening": "#), "{line}");
        recording
    }

    /// The next message that it received.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub async fn next(&mut self) -> Recorded {
        let line = self.line().await;
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// Kills it, as `kill -9` does.
    ///
    /// # Panics
    ///
    /// When it lives on.
    pub async fn kill(&mut self) {
        timeout(LIMIT, self.child.kill()).await.expect("it ends").unwrap();
    }

    /// Ends it: the lines of its log that tell of an error.
    ///
    /// # Panics
    ///
    /// When it does not end, or was not started to keep a log.
    pub async fn errors(self) -> Vec<String> {
        drop(self.stdin);
        let log = timeout(LIMIT, self.log.expect("it logs")).await.expect("it ends").unwrap();
        log.lines().filter(|line| line.contains("| ERROR ")).map(str::to_owned).collect()
    }

    async fn line(&mut self) -> String {
        let line = timeout(LIMIT, self.lines.next_line()).await.expect("it prints a line");
        line.unwrap().expect("it runs")
    }
}
