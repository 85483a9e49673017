//! `storm_worker PATH NUMBER`: calls the master at PATH, and is called, until one of them is killed.
//! Prints what should not have happened.
#![forbid(unsafe_code)]

use dip::Client;
use dip_tests::storm::{End, Tally, call_until_gone, router};

/// Calls at once.
const CALLERS: u64 = 4;

#[tokio::main(flavor = "current_thread")]
async fn main() -> dip::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_default();
    let number: u64 = arguments.next().and_then(|number| number.parse().ok()).unwrap_or_default();
    let tally = Tally::default();
    let client =
        Client::builder(path.as_str()).router(router()).state(tally.clone()).connect().await?;
    let callers = (0..CALLERS).map(|caller| {
        let seed = number * CALLERS + caller;
        tokio::spawn(call_until_gone(End::Client(client.clone()), seed, tally.clone()))
    });
    for caller in callers.collect::<Vec<_>>() {
        while !caller.is_finished() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            tally.take_faults().into_iter().for_each(|fault| println!("{fault}"));
        }
    }
    Ok(())
}
