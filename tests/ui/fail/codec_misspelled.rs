use dip::Protocol;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'N')]
#[protocol(codec = jsno)]
struct Note {
    text: String,
}

fn main() {}
