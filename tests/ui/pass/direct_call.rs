//! A handler is still the function that was written.

use dip::{Protocol, State, handler};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'A')]
#[protocol(reply = i64)]
struct Add {
    a: i64,
    b: i64,
}

#[handler]
async fn add(Add { a, b }: Add, State(more): State<i64>) -> i64 {
    a + b + more
}

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'L')]
#[protocol(reply = usize)]
struct Length(String);

#[handler(blocking)]
fn length(text: Length) -> usize {
    text.0.len()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    assert_eq!(add(Add { a: 1, b: 2 }, State(4)).await, 7);
    assert_eq!(length(Length("abc".into())), 3);
    let function: fn(Add, State<i64>) -> _ = add;
    assert_eq!(function(Add { a: 1, b: 2 }, State(0)).await, 3);
}
