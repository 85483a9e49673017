//! A program with everything wrong that can be seen when it starts.

use dip::codec::{Text, Unit};
use dip::{Mtype, NoError, Once, Protocol, Router, State, handler};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'N')]
struct Note(u8);

#[handler]
async fn first(_: Note) {}

#[handler]
async fn second(_: Note, _: State<u64>, _: State<Vec<u8>>) {}

async fn plain(_: Note) {}

#[handler(fallback)]
async fn rest(_: dip::Unrouted, _: State<u64>) {}

#[derive(Serialize, Deserialize, Protocol)]
#[mtype("jobs.tail")]
struct Tail(u8);

#[handler]
async fn tail(_: Tail) {}

#[handler]
async fn unregistered(_: Forgotten) {}

/// Takes the byte of `builtin::Stdout`; the derive would have refused it.
struct Line(String);

impl dip::codec::Newtype for Line {
    type Inner = String;

    fn wrap(inner: String) -> Self {
        Self(inner)
    }

    fn inner(&self) -> &String {
        &self.0
    }
}

impl Protocol for Line {
    const MTYPE: Mtype = Mtype::byte(b'O');
    type Codec = Text;
    type Reply = ();
    type Error = NoError;
    type ReplyCodec = Unit;
    type Shape = Once;
}

dip::register!(Line);

/// Nothing registers it.
struct Forgotten(String);

impl dip::codec::Newtype for Forgotten {
    type Inner = String;

    fn wrap(inner: String) -> Self {
        Self(inner)
    }

    fn inner(&self) -> &String {
        &self.0
    }
}

impl Protocol for Forgotten {
    const MTYPE: Mtype = Mtype::byte(b'F');
    type Codec = Text;
    type Reply = ();
    type Error = NoError;
    type ReplyCodec = Unit;
    type Shape = Once;
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> dip::Result<()> {
    let router = Router::linked().handler(plain).handler(first);
    dip::serve!("unused.sock", router = router, state = vec![1_u8]).await
}
