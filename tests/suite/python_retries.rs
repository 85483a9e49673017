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
    attempt: u32,
    asks: Asks,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Asks {
    /// To be accepted.
    Accept,
    /// To be refused, after a moment: an answer to something else would come alone.
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
    /// For each key, in order: which state, which attempt, and whether it was accepted.
    handled: BTreeMap<String, Vec<(u32, u32, bool)>>,
    asked: HashSet<(String, u32)>,
}

// In the order of the client: an update that is sent again, over another connection of the worker's
// pool, must not overtake the first attempt and be undone by it.
#[handler(group = "retries", ordered = "client")]
async fn update(update: TaskUpdate<Update>, State(board): State<Board>) -> Result<(), Rejection> {
    for Update { key, state, attempt, asks } in update.0 {
        let first_time = board.0.lock().unwrap().asked.insert((key.clone(), state));
        match asks {
            Asks::Sleep if first_time => tokio::time::sleep(Duration::from_secs(3)).await,
            Asks::Refuse => tokio::time::sleep(Duration::from_millis(100)).await,
            _ => {}
        }
        let accepted = asks != Asks::Refuse;
        let mut seen = board.0.lock().unwrap();
        seen.handled.entry(key.clone()).or_default().push((state, attempt, accepted));
        if !accepted {
            return Err(Rejection::named("ValueError", format!("{key} {state}")));
        }
        seen.states.insert(key, state);
    }
    Ok(())
}

/// What a worker believes, for each key: which state, which attempt, and `ok` or the error.
type Believed = BTreeMap<String, Vec<(u32, u32, String)>>;

const UPDATES: [Asks; 4] = [Asks::Accept, Asks::Sleep, Asks::Refuse, Asks::Accept];

/// A worker sends updates for each key. Returns what it believes and how many answers the server kept
/// back.
async fn follow(
    over: Over,
    id: Option<&str>,
    updates: &[(&str, &[Asks])],
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
        "updates": updates.iter().copied().collect::<BTreeMap<_, _>>(),
        "attempts": attempts,
    });
    let believed: Believed = python.run("follow.py", &input, Duration::from_secs(60)).await;

    let seen = board.0.lock().unwrap();
    for (key, updates) in updates {
        let (handled, believed) = (&seen.handled[*key], &believed[*key]);
        assert_eq!(handled.len(), believed.len(), "{handled:?} {believed:?}");
        for ((state, attempt, accepted), (sent, sent_attempt, outcome)) in
            handled.iter().zip(believed)
        {
            assert_eq!((state, attempt), (sent, sent_attempt), "each is handled once, in order");
            let truth = if *accepted {
                "ok".to_owned()
            } else {
                format!("ResponseError: Server respond with: ValueError('{key} {state}')")
            };
            let unknown = outcome.starts_with("ReadTimeout: ");
            assert!(unknown || *outcome == truth, "{key} {state}: {outcome} instead of {truth}");
        }
        let last = updates.len() as u32 - 1;
        assert!(matches!(believed.last(), Some((state, _, ok)) if *state == last && ok == "ok"));
        assert_eq!(seen.states[*key], last);
    }
    Some((believed, serving.server.stats().late_replies))
}

/// The states whose first attempt got no answer.
fn timed_out(believed: &[(u32, u32, String)]) -> Vec<u32> {
    let timed_out = |(_, attempt, outcome): &&(u32, u32, String)| {
        *attempt == 1 && outcome.starts_with("ReadTimeout")
    };
    believed.iter().filter(timed_out).map(|(state, ..)| *state).collect()
}

#[tokio::test]
async fn a_worker_that_sends_again_believes_what_is_true() {
    let task = "7b1f3a52-0d4e-4c6a-9a55-2f0f5f6f9b10";
    // The second key leaves an idle connection behind, over which the second attempt goes.
    let updates: [(&str, &[Asks]); 2] = [("a", &UPDATES), ("b", &[Asks::Accept])];
    let (with_id, without_id) = tokio::join!(
        follow(Over::Unix, Some(task), &updates, 5),
        follow(Over::Tcp, None, &updates, 5)
    );
    for (believed, _) in with_id.into_iter().chain(without_id) {
        assert_eq!(timed_out(&believed["a"])[..1], [1], "the handler slept once");
    }
}

#[tokio::test]
async fn a_worker_that_goes_on_takes_no_late_answer_for_that_of_its_next_update() {
    let updates: [(&str, &[Asks]); 1] = [("a", &UPDATES)];
    let (over_unix, over_tcp) =
        tokio::join!(follow(Over::Unix, None, &updates, 1), follow(Over::Tcp, None, &updates, 1));
    for (believed, late) in over_unix.into_iter().chain(over_tcp) {
        assert_eq!(timed_out(&believed["a"])[..1], [1], "the handler slept once");
        assert!(late > 0, "the answer to the slow update was kept back");
    }
}
