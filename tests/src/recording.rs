//! A server of deepfos-ipc, in a process of its own, that tells what it received.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::timeout;

use crate::python::Python;

const LIMIT: Duration = Duration::from_secs(30);

/// The server of `tests/python/serve.py`; dropped is killed.
#[derive(Debug)]
pub struct Recording {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// It ends when this does.
    _stdin: ChildStdin,
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
        let mut command = python.command("serve.py");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let options = json!({"path": path, "string_mapping": string_mapping});
        stdin.write_all(format!("{options}\n").as_bytes()).await.unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut recording = Self { child, lines, _stdin: stdin };
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

    async fn line(&mut self) -> String {
        let line = timeout(LIMIT, self.lines.next_line()).await.expect("it prints a line");
        line.unwrap().expect("it runs")
    }
}
