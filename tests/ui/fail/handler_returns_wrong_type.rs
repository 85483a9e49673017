use dip::{Protocol, handler};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'A')]
#[protocol(reply = i64)]
struct Add {
    a: i64,
    b: i64,
}

#[handler]
async fn add(add: Add) -> String {
    (add.a + add.b).to_string()
}

fn main() {}
