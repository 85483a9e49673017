use dip::Protocol;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
struct Note {
    text: String,
}

fn main() {}
