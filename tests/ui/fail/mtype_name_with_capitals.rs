use dip::Protocol;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype("Jobs.Tail")]
struct Note {
    text: String,
}

fn main() {}
