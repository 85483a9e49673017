use dip::Protocol;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'N')]
#[protocol(reply = u32)]
#[protocol(reply = u64)]
struct Note {
    text: String,
}

fn main() {}
