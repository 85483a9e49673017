//! Calls that wait for each other: none of them may stay behind on its side.

use std::sync::Arc;

use dip::{Client, Protocol, Server, State, handler};
use serde::{Deserialize, Serialize};
use tokio::sync::Barrier;

use super::support::in_time;

const CALLERS: usize = 16;

/// Is answered when all have come.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype("native.meet_all")]
struct MeetAll;

#[handler(group = "native_meeting")]
async fn meet_all(_: MeetAll, State(barrier): State<Arc<Barrier>>) {
    barrier.wait().await;
}

/// Who was answered together calls again together; the last of these calls is what the others wait for.
async fn callers_meet_again_and_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let server = Server::builder(&path)
        .router(dip::Router::new().handler(meet_all))
        .state(Arc::new(Barrier::new(CALLERS)));
    let server = tokio::spawn(server.bind().await.unwrap().run());
    let client = Client::connect(&path).await.unwrap();
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                for _ in 0..50 {
                    client.send(&MeetAll).await.unwrap();
                }
            })
        })
        .collect();
    for caller in callers {
        in_time(caller).await.unwrap();
    }
    server.abort();
}

#[tokio::test]
async fn callers_of_one_thread_meet() {
    callers_meet_again_and_again().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn callers_of_one_worker_meet() {
    callers_meet_again_and_again().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_of_many_workers_meet() {
    callers_meet_again_and_again().await;
}
