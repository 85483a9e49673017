use dip::Protocol;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'N')]
#[protocol(codec = text)]
struct Note {
    from: String,
    text: String,
}

fn main() {}
