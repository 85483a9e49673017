use dip::State;
use dip::{Protocol, handler};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'N')]
struct Note {
    text: String,
}

struct Log(String);

#[handler]
async fn note(note: Note, State(log): State<Log>) {
    println!("{}{}", log.0, note.text);
}

fn main() {}
