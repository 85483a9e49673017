use dip::{Protocol, handler};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'N')]
struct Note {
    text: String,
}

#[handler]
async fn note<T>(note: Note)
where
    T: Send,
{
    println!("{}", note.text);
}

fn main() {}
