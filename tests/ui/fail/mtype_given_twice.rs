use dip::Protocol;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'N')]
#[mtype(b'M')]
struct Note {
    text: String,
}

fn main() {}
