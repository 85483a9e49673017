//! An editor and its language server: a child process that is served over its standard input and
//! output, and calls its parent back to have edits applied.
//!
//! ```text
//! cargo run --example stdio
//! ```
//!
//! The two streams belong to dip: whatever else the server wants to say goes to its standard error.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use dip::{Client, Peer, Protocol, Rejection, Router, State, handler};
use serde::{Deserialize, Serialize};
use tokio::process::Command;

// The messages. From the editor to its server:

/// Gives a name another name; the reply says how often it was found.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype("language.rename")]
#[protocol(reply = usize)]
struct Rename {
    from: String,
    to: String,
}

// And from the server to its editor:

/// Asks for the lines of the document as they are now.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype("editor.lines")]
#[protocol(reply = Vec<String>)]
struct Lines;

/// Replaces one line, if it still is what the server has seen.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype("editor.edit")]
#[protocol(reply = bool)]
struct Edit {
    line: usize,
    old: String,
    new: String,
}

// The server: the child.

#[handler]
async fn rename(Rename { from, to }: Rename, editor: Peer) -> Result<usize, Rejection> {
    let mut found = 0;
    for (line, old) in editor.call(&Lines).await?.into_iter().enumerate() {
        let times = old.matches(&*from).count();
        if times == 0 {
            continue;
        }
        let new = old.replace(&*from, &to);
        if !editor.call(&Edit { line, old, new }).await? {
            return Err(Rejection::new(format!("line {} was changed meanwhile", line + 1)));
        }
        found += times;
    }
    Ok(found)
}

async fn server() -> dip::Result<()> {
    let stream = tokio::io::join(tokio::io::stdin(), tokio::io::stdout());
    dip::Connection::over(stream, Router::linked()).run().await
}

// The editor: the parent.

#[derive(Clone)]
struct Document(Arc<Mutex<Vec<String>>>);

impl Document {
    fn lines(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[handler(group = "editor")]
async fn lines(_: Lines, State(document): State<Document>) -> Vec<String> {
    document.lines().clone()
}

#[handler(group = "editor")]
async fn edit(Edit { line, old, new }: Edit, State(document): State<Document>) -> bool {
    let mut lines = document.lines();
    let unchanged = lines.get_mut(line).filter(|line| **line == old);
    let applied = unchanged.is_some_and(|line| {
        *line = new;
        true
    });
    println!("line {}: {}", line + 1, lines[line]);
    applied
}

async fn editor() -> dip::Result<()> {
    let text = ["let total = 0;", "for n in numbers {", "    total += n * total;", "}"];
    let document = Document(Arc::new(Mutex::new(text.map(String::from).to_vec())));

    let mut child = Command::new(std::env::current_exe()?)
        .arg("--server")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let (Some(stdout), Some(stdin)) = (child.stdout.take(), child.stdin.take()) else {
        unreachable!("both are piped");
    };
    let server = Client::over(tokio::io::join(stdout, stdin))
        .router(Router::group("editor"))
        .state(document.clone())
        .connect()
        .await?;

    let found = server.call(&Rename { from: "total".into(), to: "sum".into() }).await?;
    println!("{found} places renamed");
    assert_eq!(found, 3);
    let renamed = ["let sum = 0;", "for n in numbers {", "    sum += n * sum;", "}"];
    assert_eq!(*document.lines(), renamed);

    // The end of its input is the end of the server.
    server.close().await?;
    let status = child.wait().await?;
    println!("the server has ended: {status}");
    assert!(status.success());
    Ok(())
}

#[tokio::main]
async fn main() -> dip::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("--server") => server().await,
        _ => editor().await,
    }
}
