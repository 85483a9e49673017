use dip::{Protocol, handler};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'N')]
struct Note {
    text: String,
}

#[handler(blocking, spawn)]
fn note(note: Note) {
    println!("{}", note.text);
}

fn main() {}
