use dip::Protocol;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype('N')]
struct Note {
    text: String,
}

fn main() {}
