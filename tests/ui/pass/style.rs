//! What the first pages of the documentation show.

use std::fmt;
use std::num::ParseIntError;

use dip::builtin::{Any, Json};
use dip::{Context, Peer, Protocol, Rejection, Router, State, Unrouted, handler};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'N')]
struct Note {
    text: String,
}

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'A')]
#[protocol(reply = i64, error = MathError)]
struct Add {
    a: i64,
    b: i64,
}

#[derive(Debug, Serialize, Deserialize)]
enum MathError {
    Overflow,
}

impl fmt::Display for MathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("overflow")
    }
}

impl std::error::Error for MathError {}

#[derive(Serialize, Deserialize, Protocol)]
#[mtype("jobs.progress")]
#[protocol(codec = json, reply = Vec<u8>, max_len = "64 KiB", deadline = "1500ms", idempotent)]
enum Progress {
    Done,
    Percent(u8),
}

#[derive(Clone)]
struct Db;

#[handler]
async fn note(note: Note) {
    println!("{}", note.text);
}

#[handler]
async fn add(Add { a, b }: Add) -> Result<i64, MathError> {
    a.checked_add(b).ok_or(MathError::Overflow)
}

#[handler(ordered = "server", group = "worker")]
async fn parse(
    Json(text): Json<String>,
    State(_db): State<Db>,
    peer: Peer,
    _: Context,
) -> Result<(), Rejection> {
    let _: u32 = text.parse().map_err(|error: ParseIntError| error)?;
    println!("{peer:?}");
    Ok(())
}

#[handler(blocking)]
fn progress(progress: Progress, mut db: State<Db>) -> Vec<u8> {
    db.0 = Db;
    match progress {
        Progress::Done => vec![100],
        Progress::Percent(percent) => vec![percent],
    }
}

#[handler(fallback)]
async fn rest(rest: Unrouted) -> Result<(), Rejection> {
    Err(Rejection::named("KeyError", rest.mtype.to_string()))
}

#[handler(group = "any", ack = "received", ordered, no_cancel)]
async fn any(_: Any) {}

fn main() {
    assert_eq!(Router::linked().handlers().count(), 4);
    assert_eq!(Router::group("worker").handlers().count(), 1);
    let router = Router::new().handler(add).handler(parse);
    let handlers: Vec<String> = router.handlers().collect();
    assert!(handlers[0].contains("::add takes "), "{handlers:?}");
    assert!(handlers[0].contains("style.rs:53:1"), "{handlers:?}");

    assert_eq!(Progress::MTYPE, dip::Mtype::name("jobs.progress"));
    assert_eq!(Progress::MAX_LEN, Some(65_536));
    assert_eq!(Progress::DEADLINE, Some(std::time::Duration::from_millis(1500)));
    const { assert!(Progress::IDEMPOTENT && !Note::IDEMPOTENT) };
    assert_eq!(Note::DEADLINE, None);
}
