use dip::Protocol;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(0x1d, replace)]
struct Note {
    text: String,
}

fn main() {}
