use dip::Peer;
use dip::{Protocol, handler};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'N')]
struct Note {
    text: String,
}

#[handler]
async fn note(note: Note, #[cfg(unix)] peer: Peer) {
    println!("{}{peer:?}", note.text);
}

fn main() {}
