//! Two types with one mtype in one crate.

use dip::Protocol;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'N')]
struct Note(u8);

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'N')]
struct Number(u8);

fn main() {
    drop((Note(1), Number(2)));
}
