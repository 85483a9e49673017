//! A message type of the same mtype as that of `left`.

use dip::Protocol;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'N')]
pub struct Number(pub u8);
