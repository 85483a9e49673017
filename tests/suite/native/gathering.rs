//! A server waits for its peers.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use dip::{Client, Error, Router, Server, Wire};

use super::support::{in_time, served};

/// Polls it once; it is not ready.
fn is_pending(future: std::pin::Pin<&mut impl Future>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

#[tokio::test]
async fn a_server_waits_until_so_many_peers_are_there_on_either_wire() {
    let served = served().await;
    let server = served.server.clone();
    assert_eq!(in_time(server.wait_for_peers(1)).await.unwrap().len(), 1);
    let waiting = tokio::spawn(async move { server.wait_for_peers(3).await });
    let _second = served.another().connect().await.unwrap();
    in_time(served.server.wait_for_peers(2)).await.unwrap();
    assert!(!waiting.is_finished());
    let third = served.another().wire(Wire::Classic).connect().await.unwrap();
    let peers = in_time(waiting).await.unwrap().unwrap();
    assert_eq!(peers.len(), 3);
    assert!(peers.is_sorted_by_key(dip::Peer::id), "in the order in which they came");
    // Those that have left do not count.
    third.close().await.unwrap();
    served.connections(2).await;
    let server = served.server.clone();
    let mut waiting = pin!(server.wait_for_peers(3));
    assert!(is_pending(waiting.as_mut()));
    let _fourth = served.another().connect().await.unwrap();
    assert_eq!(in_time(waiting).await.unwrap().len(), 3);
    assert_eq!(in_time(served.server.wait_for_peers(0)).await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_arrival_is_missed_by_those_who_wait_for_it() {
    let served = served().await;
    let mut clients = Vec::new();
    for count in 2..40 {
        let waiting: Vec<_> = (0..8)
            .map(|_| {
                let server = served.server.clone();
                tokio::spawn(async move { server.wait_for_peers(count).await.unwrap().len() })
            })
            .collect();
        clients.push(served.another().connect().await.unwrap());
        for waiting in waiting {
            assert_eq!(in_time(waiting).await.unwrap(), count);
        }
    }
}

#[tokio::test]
async fn who_waits_for_peers_is_told_that_the_server_stops() {
    let mut served = served().await;
    let server = served.server.clone();
    let waiting = tokio::spawn(async move { server.wait_for_peers(2).await });
    let mut kept = pin!(served.server.wait_for_peers(2));
    assert!(is_pending(kept.as_mut()));
    tokio::task::yield_now().await;
    served.server.shutdown();
    let error = in_time(waiting).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::ShuttingDown), "{error}");
    // Nor does one that nobody polls any more keep the server.
    let begun = std::time::Instant::now();
    in_time(&mut served.running).await.unwrap().unwrap();
    assert!(begun.elapsed() < dip::Limits::default().drain);
    let error = in_time(kept).await.unwrap_err();
    assert!(matches!(error, Error::ShuttingDown), "{error}");
}

#[tokio::test]
async fn a_server_that_is_dropped_before_it_has_run_ends_the_wait_for_its_peers() {
    let bound = Server::builder("mem:gathering").router(Router::group("native"));
    let bound = bound.state(super::support::Log::default());
    let bound = bound.state(super::support::Gate::closed()).bind().await.unwrap();
    let server = bound.server();
    let waiting = tokio::spawn(async move { server.wait_for_peers(1).await });
    drop(bound);
    let error = in_time(waiting).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::ShuttingDown), "{error}");
    assert!(Client::connect("mem:gathering").await.is_err());
}
