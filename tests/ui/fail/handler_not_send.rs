use std::rc::Rc;

use dip::{Protocol, handler};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'N')]
struct Note {
    text: String,
}

#[handler]
async fn note(note: Note) {
    let text = Rc::new(note.text);
    std::future::ready(()).await;
    println!("{text}");
}

fn main() {}
