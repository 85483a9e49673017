use dip::Protocol;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'N')]
#[protocol(codec = list)]
struct Notes(Vec<String>);

fn main() {}
