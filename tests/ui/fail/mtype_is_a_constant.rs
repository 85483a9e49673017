use dip::Protocol;
use serde::{Deserialize, Serialize};

const NOTE: u8 = b'N';

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(NOTE)]
struct Note {
    text: String,
}

fn main() {}
