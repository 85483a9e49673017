use dip::Protocol;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'N', codec = json)]
struct Note {
    text: String,
}

fn main() {}
