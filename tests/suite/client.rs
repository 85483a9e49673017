//! The client towards classic servers, most of them scripted byte by byte.

mod begin;
mod dip_server;
mod interleavings;
mod local;
mod pool;
mod replies;
mod script;
mod unfinished;

use std::time::Duration;

use dip::{CallError, Client, ClientBuilder, NoError, Wire};

use script::{Line, Script};

type Sent = Result<(), CallError<NoError>>;

const SOON: Duration = Duration::from_millis(100);

/// A client of this script with short patience.
fn builder(script: &Script) -> ClientBuilder {
    Client::builder(script.path()).wire(Wire::Classic).timeout(Duration::from_secs(2))
}

async fn connect(script: &Script) -> Client {
    builder(script).connect().await.unwrap()
}

fn text_of(sent: Sent) -> String {
    match sent {
        Err(CallError::Rejected(remote)) => remote.text,
        other => panic!("not rejected: {other:?}"),
    }
}
