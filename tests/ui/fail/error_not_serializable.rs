use std::fmt;

use dip::Protocol;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize)]
struct Overflow;

impl fmt::Display for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("overflow")
    }
}

impl std::error::Error for Overflow {}

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'A')]
#[protocol(reply = i64, error = Overflow)]
struct Add {
    a: i64,
    b: i64,
}

fn main() {}
