use dip::Protocol;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'N')]
#[protocol(codec = raw)]
struct Note(Vec<u8>);

fn main() {}
