use dip::{Protocol, handler};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'N')]
struct Note {
    text: String,
}

struct App;

impl App {
    #[handler]
    async fn note(&self, note: Note) {
        println!("{}", note.text);
    }
}

fn main() {}
