use dip::Protocol;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'N')]
#[protocol(retries = 3)]
struct Note {
    text: String,
}

fn main() {}
