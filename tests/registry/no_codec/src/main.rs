//! A message that names no codec, where dip is built without its default one.

use dip::Protocol;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'N')]
struct Note(u8);

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'A')]
#[protocol(codec = json)]
struct Named(u8);

fn main() {
    drop((Note(1), Named(2)));
}
