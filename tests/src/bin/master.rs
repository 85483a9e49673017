//! `master ADDRESS`: takes the steps of many workers and checks each. Prints a line when it listens,
//! a report when its standard input ends.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use dip::builtin::Json;
use dip::{Peer, Rejection, State, handler};
use dip_tests::step::{Report, Step, id_of};

#[derive(Clone, Default)]
struct Ledger(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    accepted: u64,
    refused: Vec<String>,
    last: BTreeMap<u32, Step>,
}

#[handler]
async fn step(
    Json(step): Json<Step>,
    peer: Peer,
    State(ledger): State<Ledger>,
) -> Result<(), Rejection> {
    let mut seen = ledger.0.lock().unwrap_or_else(PoisonError::into_inner);
    let expected = match seen.last.get(&step.worker) {
        Some(last) => last.next(),
        None => Step::first(step.worker),
    };
    let id = peer.client_id();
    if step != expected || id != Some(id_of(step.worker)) {
        let what = format!("{step:?} from {id:?} instead of {expected:?}");
        seen.refused.push(what.clone());
        return Err(Rejection::named("ValueError", what));
    }
    seen.accepted += 1;
    seen.last.insert(step.worker, step);
    Ok(())
}

#[tokio::main]
async fn main() -> dip::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_default();
    let ledger = Ledger::default();
    let end_of_input = async {
        _ = tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await;
    };
    let bound =
        dip::Server::builder(address).state(ledger.clone()).shutdown(end_of_input).bind().await?;
    println!("listening");
    bound.run().await?;

    let mut seen = ledger.0.lock().unwrap_or_else(PoisonError::into_inner);
    let Seen { accepted, refused, last } = std::mem::take(&mut *seen);
    let report = Report { accepted, refused, last: last.into_values().collect() };
    println!("{}", serde_json::to_string(&report).map_err(std::io::Error::from)?);
    Ok(())
}
