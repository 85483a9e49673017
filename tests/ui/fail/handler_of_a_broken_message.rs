use dip::{Protocol, handler};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype('A')]
#[protocol(reply = i64)]
struct Add {
    a: i64,
    b: i64,
}

#[handler]
async fn add(add: Add) -> i64 {
    add.a + add.b
}

fn main() {}
