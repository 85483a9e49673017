//! No reply is ever matched to the wrong message: 10,000 messages of one client, each with a fate
//! of its own on either side, over a pool that is much too small.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::task::JoinSet;

use super::*;

const SEED: u64 = 0x6469_7021;
const MESSAGES: u64 = 10_000;
const TASKS: u64 = 64;

/// SplitMix64: a number for each message, the same in each run.
fn random(number: u64, salt: u64) -> u64 {
    let mut z =
        (SEED ^ salt.rotate_left(32)).wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What the server did with a message.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Did {
    Ack,
    Refuse,
    MoreThanAck,
    Close,
}

async fn pause(number: u64, most: u64) {
    tokio::time::sleep(Duration::from_micros(random(number, 1) % most)).await;
}

/// Serves a message; `false` ends the connection.
async fn serve(line: &mut Line, number: u64, did: &Mutex<HashMap<u64, Did>>) -> bool {
    let note = |what| assert_eq!(did.lock().unwrap().insert(number, what), None, "seed {SEED}");
    match random(number, 2) % 100 {
        0..60 => {
            note(Did::Ack);
            line.say("ok").await;
        }
        60..70 => {
            note(Did::Ack);
            line.say("o").await;
            pause(number, 2000).await;
            line.say("k").await;
        }
        // Often too late for the client.
        70..84 => {
            note(Did::Ack);
            pause(number, 8000).await;
            line.say("ok").await;
        }
        84..88 => {
            note(Did::Refuse);
            line.say(format!("E({number})")).await;
        }
        88..92 => {
            note(Did::Refuse);
            line.say(format!("E({}", number / 10)).await;
            pause(number, 4000).await;
            line.say(format!("{})", number % 10)).await;
        }
        92..94 => {
            note(Did::Refuse);
            pause(number, 8000).await;
            line.say(format!("E({number})")).await;
        }
        94..96 => {
            note(Did::MoreThanAck);
            line.say("okok").await;
        }
        _ => {
            note(Did::Close);
            pause(number, 2000).await;
            return false;
        }
    }
    true
}

async fn send(client: &Client, number: u64) -> Option<Sent> {
    let sending = client.send_raw(b'J', number.to_string());
    let patience = Duration::from_micros(500 + random(number, 3) % 8000);
    match random(number, 4) % 10 {
        0..6 => Some(sending.await),
        6..8 => Some(sending.timeout(patience).await),
        _ => tokio::time::timeout(patience, sending).await.ok(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_reply_is_matched_to_the_wrong_message() {
    let did = Arc::new(Mutex::new(HashMap::new()));
    let noted = did.clone();
    let script = Script::new(move |_, mut line| {
        let did = noted.clone();
        async move {
            if !line.greeted().await {
                return;
            }
            while let Some((b'J', body)) = line.frame().await {
                let number = String::from_utf8(body).unwrap().parse().unwrap();
                if !serve(&mut line, number, &did).await {
                    return;
                }
            }
        }
    });
    let client = builder(&script).pool_size(24).connect().await.unwrap();
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let client = client.clone();
        tasks.spawn(async move {
            let mut outcomes = Vec::new();
            for number in (task..MESSAGES).step_by(TASKS as usize) {
                outcomes.push((number, send(&client, number).await));
            }
            outcomes
        });
    }
    let outcomes: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    client.close().await.unwrap();

    let did = did.lock().unwrap();
    let mut seen = [0; 5];
    for (number, outcome) in outcomes {
        let did = did.get(&number).copied();
        let kind = match outcome {
            Some(Ok(())) => {
                assert_eq!(did, Some(Did::Ack), "message {number}, seed {SEED}");
                0
            }
            Some(Err(CallError::Rejected(remote))) => {
                assert_eq!(did, Some(Did::Refuse), "message {number}, seed {SEED}");
                // A text may be cut by the deadline of its message, in which it names another.
                let whole = format!("E({number})");
                assert!(whole.starts_with(&remote.text), "message {number}: {}", remote.text);
                1
            }
            Some(Err(CallError::ConnectionLost)) => {
                let fits = matches!(did, Some(Did::Close | Did::MoreThanAck));
                assert!(fits, "message {number}: {did:?}, seed {SEED}");
                2
            }
            Some(Err(CallError::Deadline { .. })) => 3,
            None => 4,
            Some(Err(other)) => panic!("message {number}: {other:?}"),
        };
        seen[kind] += 1;
    }
    // What each kind is: acknowledged, refused, lost, too late, dropped.
    assert!(seen.iter().all(|count| *count > 100), "{seen:?}");
}
