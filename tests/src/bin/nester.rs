//! `nester PATH CALLS/DEPTH/LENGTH`: connects to PATH and is one side of calls within calls. Reads one
//! step a line, and prints a line when it is done.
#![forbid(unsafe_code)]

use std::error::Error;

use dip::Connection;
use dip_tests::nesting::{Hall, Side, narrow, router};
use dip_tests::storm::End;
use dip_tests::valve::Valve;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::net::UnixStream;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, shape] = &arguments[..] else {
        return Err("usage: nester PATH CALLS/DEPTH/LENGTH".into());
    };
    let (valve, hall) = (Valve::default(), Hall::default());
    let stream = narrow(UnixStream::connect(path).await?, &valve);
    tokio::spawn(Connection::over(stream, router()).state(hall.clone()).run());
    let master = End::Peer(hall.met().await);
    let mut side = Side::new(master, valve, hall, shape.parse()?);
    let mut steps = BufReader::new(stdin()).lines();
    while let Some(step) = steps.next_line().await? {
        match step.as_str() {
            "shut" => side.shut(),
            "open" => side.open(),
            "call" => side.call().await,
            "hold" => side.hold().await,
            "call back" => side.call_back().await,
            "end" => side.end().await,
            step => return Err(format!("{step} is no step").into()),
        }
        println!("{step}");
    }
    Ok(())
}
