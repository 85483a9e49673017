use dip::Protocol;
use serde::{Deserialize, Serialize};

struct Length(u64);

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'N')]
#[protocol(reply = Length)]
struct Note {
    text: String,
}

fn main() {}
