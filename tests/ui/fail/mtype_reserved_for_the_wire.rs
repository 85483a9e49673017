use dip::Protocol;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(0x05)]
struct Note {
    text: String,
}

fn main() {}
