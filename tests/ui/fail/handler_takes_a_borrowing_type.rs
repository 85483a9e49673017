use std::borrow::Cow;

use dip::{Protocol, handler};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'N')]
struct Note {
    text: String,
}

#[handler]
async fn note(note: Note, log: Cow<'_, str>) {
    println!("{}{}", note.text, log);
}

fn main() {}
