use std::marker::PhantomData;

use dip::Protocol;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'N')]
struct Note {
    text: PhantomData<*const u8>,
}

fn main() {}
