//! `leaver PATH FLAVOUR WAY END COUNT`: sends so many messages and returns from `main`.
//!
//! FLAVOUR of the runtime: `one` thread or `many`. WAY: `send` or `notify`. END: the client is `close`d,
//! only `drop`ped, or `leak`ed, which is never dropped at all.
#![forbid(unsafe_code)]

use std::error::Error;

use dip::Client;
use dip_tests::leaving::Parting;
use tokio::runtime::Builder;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, flavour, way, end, count] = &arguments[..] else {
        return Err("usage: leaver PATH FLAVOUR WAY END COUNT".into());
    };
    // As `#[tokio::main]` makes it, and drops it.
    let runtime = match flavour.as_str() {
        "one" => Builder::new_current_thread().enable_all().build()?,
        _ => Builder::new_multi_thread().worker_threads(2).enable_all().build()?,
    };
    let count = count.parse()?;
    Ok(runtime.block_on(leave(path, way, end, count))?)
}

async fn leave(path: &str, way: &str, end: &str, count: u64) -> dip::Result<()> {
    let client = Client::connect(path).await?;
    for number in 0..count {
        let parting = Parting { number };
        match way {
            "send" => client.send(&parting).await?,
            _ => client.notify(&parting).await?,
        }
    }
    match end {
        "close" => client.close().await,
        "leak" => {
            std::mem::forget(client);
            Ok(())
        }
        _ => Ok(()),
    }
}
