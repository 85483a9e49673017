use dip::Protocol;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype('N')]
#[protocol(codec = jsno, max_len = "64 KB", deadline = 2, replay = u8)]
struct Note {
    text: String,
}

fn main() {}
