use dip::{Protocol, handler};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'N')]
struct Note {
    text: String,
}

#[handler]
async fn note(note: Note, log: Vec<impl Send>) {
    println!("{}{}", note.text, log.len());
}

fn main() {}
