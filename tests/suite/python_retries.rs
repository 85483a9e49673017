//! Real Python workers wait two seconds for an answer and send an update again when none came. A
//! handler that takes longer must not make them believe anything wrong.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dip::builtin::TaskUpdate;
use dip::{Rejection, Router, State, handler};
use dip_tests::python::python;
use dip_tests::serving::{Over, serve};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Update {
    key: String,
    state: u32,
    asks: Asks,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Asks {
    /// To be accepted.
    Accept,
    /// To be refused.
    Refuse,
    /// To be accepted, after three seconds the first time.
    Sleep,
}

/// The states of all keys, and how they came to be.
#[derive(Clone, Default)]
struct Board(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    states: BTreeMap<String, u32>,
    /// Every attempt of each key, in order: which state, and whether it was accepted.
    attempts: BTreeMap<String, Vec<(u32, bool)>>,
    slept: HashSet<(String, u32)>,
}

// In the order of the client: an update that is sent again, over another connection of the worker's
// pool, must not overtake the first attempt and be undone by it.
#[handler(group = "retries", ordered = "client")]
async fn update(update: TaskUpdate<Update>, State(board): State<Board>) -> Result<(), Rejection> {
    for Update { key, state, asks } in update.0 {
        if asks == Asks::Sleep && board.0.lock().unwrap().slept.insert((key.clone(), state)) {
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
        let accepted = asks != Asks::Refuse;
        let mut seen = board.0.lock().unwrap();
        seen.attempts.entry(key.clone()).or_default().push((state, accepted));
        if !accepted {
            return Err(Rejection::named("ValueError", format!("{key} {state}")));
        }
        seen.states.insert(key, state);
    }
    Ok(())
}

/// What a worker believes of its attempts: which state, and `ok` or the error.
type Believed = BTreeMap<String, Vec<(u32, String)>>;

const UPDATES: [Asks; 4] = [Asks::Accept, Asks::Sleep, Asks::Refuse, Asks::Accept];

/// A worker sends [`UPDATES`] for each key. Returns what it believes and how many answers the server
/// kept back.
async fn follow(
    over: Over,
    id: Option<&str>,
    keys: &[&str],
    attempts: u32,
) -> Option<(Believed, u64)> {
    let python = python()?;
    let board = Board::default();
    let options =
        |server: dip::ServerBuilder| server.router(Router::group("retries")).state(board.clone());
    let serving = serve(over, options).await;
    let input = json!({
        "address": serving.address,
        "id": id,
        "keys": keys,
        "updates": UPDATES,
        "attempts": attempts,
    });
    let believed: Believed = python.run("follow.py", &input, Duration::from_secs(60)).await;

    let seen = board.0.lock().unwrap();
    for (key, believed) in &believed {
        let handled = &seen.attempts[key];
        assert_eq!(handled.len(), believed.len(), "{handled:?} {believed:?}");
        for ((state, accepted), (sent, outcome)) in handled.iter().zip(believed) {
            assert_eq!(state, sent, "each attempt is handled once, in order");
            let truth = if *accepted {
                "ok".to_owned()
            } else {
                format!("ResponseError: Server respond with: ValueError('{key} {state}')")
            };
            let unknown = outcome.starts_with("ReadTimeout: ");
            assert!(unknown || *outcome == truth, "{key} {state}: {outcome} instead of {truth}");
        }
        let last = UPDATES.len() as u32 - 1;
        assert_eq!(believed.last(), Some(&(last, "ok".to_owned())));
        assert_eq!(seen.states[key], last);
    }
    assert_eq!(seen.states.len(), keys.len());
    Some((believed, serving.server.stats().late_replies))
}

fn timed_out(believed: &[(u32, String)]) -> Vec<u32> {
    let timed_out = believed.iter().filter(|(_, outcome)| outcome.starts_with("ReadTimeout"));
    timed_out.map(|(state, _)| *state).collect()
}

#[tokio::test]
async fn a_worker_that_sends_again_believes_what_is_true() {
    let task = "7b1f3a52-0d4e-4c6a-9a55-2f0f5f6f9b10";
    let (with_id, without_id) = tokio::join!(
        follow(Over::Unix, Some(task), &["a", "b"], 5),
        follow(Over::Tcp, None, &["a", "b"], 5)
    );
    for (believed, _) in with_id.into_iter().chain(without_id) {
        assert_eq!(timed_out(&believed["a"])[..1], [1], "the handler slept once");
    }
}

#[tokio::test]
async fn a_worker_that_goes_on_takes_no_late_answer_for_that_of_its_next_update() {
    let (over_unix, over_tcp) =
        tokio::join!(follow(Over::Unix, None, &["a"], 1), follow(Over::Tcp, None, &["a"], 1));
    for (believed, late) in over_unix.into_iter().chain(over_tcp) {
        assert_eq!(timed_out(&believed["a"]), [1]);
        assert_eq!(late, 1, "the answer to the slow update was kept back");
    }
}
