use dip::Protocol;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'N', replace)]
struct Note {
    text: String,
}

fn main() {}
