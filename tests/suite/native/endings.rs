//! How connections and servers end, and what callers learn of it.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use dip::{CallError, Client, Limits, Reason, Router, Server};

use super::support::{Add, Gate, Log, Note, Wait, in_time, served, until};

#[tokio::test]
async fn a_server_that_stops_answers_what_it_has_begun_with() {
    let mut served = served().await;
    let begun = tokio::spawn(served.client.send(&Wait("begun".into())));
    until(|| served.in_flight::<Wait>() == 1).await;
    served.server.shutdown();
    // The goodbye may still be on its way.
    let refused = loop {
        match in_time(served.client.call(&Add { a: 1, b: 2 })).await {
            Ok(sum) => assert_eq!(sum, 3),
            Err(error) => break error,
        }
    };
    assert!(!refused.may_have_run() && refused.is_retryable(), "{refused:?}");
    served.gate.open(1);
    in_time(begun).await.unwrap().unwrap();
    served.ended().await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_dropped_ends_its_calls_at_once() {
    let served = served().await;
    let begun = tokio::spawn(served.client.send(&Wait("begun".into())));
    until(|| served.in_flight::<Wait>() == 1).await;
    served.abort();
    let error = in_time(begun).await.unwrap().unwrap_err();
    assert!(error.may_have_run(), "{error:?}");
    until(|| served.log.all() == ["begun begun", "begun dropped"]).await;
}

#[tokio::test]
async fn a_client_that_is_dropped_leaves_nothing_open() {
    let served = served().await;
    let other = served.another().connect().await.unwrap();
    served.connections(2).await;
    for number in 0..100 {
        other.notify(&Note(number.to_string())).await.unwrap();
    }
    drop(other);
    served.connections(1).await;
    assert_eq!(served.log.all().len(), 100, "what was sent has arrived");
}

#[tokio::test]
async fn close_waits_for_what_is_under_way_and_refuses_the_rest() {
    let served = served().await;
    let begun = tokio::spawn(served.client.send(&Wait("begun".into())));
    until(|| served.in_flight::<Wait>() == 1).await;
    let client = served.client.clone();
    let closing = tokio::spawn(async move { client.close().await });
    let refused = loop {
        match in_time(served.client.call(&Add { a: 1, b: 2 })).await {
            Ok(sum) => assert_eq!(sum, 3),
            Err(error) => break error,
        }
        tokio::task::yield_now().await;
    };
    assert!(matches!(refused, CallError::NotSent(Reason::Closed)), "{refused:?}");
    assert!(!closing.is_finished());
    served.gate.open(1);
    in_time(begun).await.unwrap().unwrap();
    in_time(closing).await.unwrap().unwrap();
    served.connections(0).await;
}

#[tokio::test]
async fn after_a_restart_of_the_server_the_next_call_connects_again() {
    let mut served = served().await;
    served.server.shutdown();
    served.ended().await.unwrap();
    let error = in_time(served.client.call(&Add { a: 1, b: 2 })).await.unwrap_err();
    assert!(!error.may_have_run() && error.is_retryable(), "{error:?}");
    let router = Router::group("native");
    let bound = Server::builder(&*served.path)
        .router(router)
        .state(served.log.clone())
        .state(served.gate.clone())
        .bind()
        .await
        .unwrap();
    tokio::spawn(bound.run());
    assert_eq!(in_time(served.client.call(&Add { a: 1, b: 2 })).await.unwrap(), 3);
}

#[tokio::test]
async fn two_ends_in_memory_talk_without_a_server() {
    let (ours, theirs) = dip::pair();
    let (log, gate) = (Log::default(), Gate::closed());
    let connection = dip::Connection::over(theirs, Router::group("native"));
    let serving = tokio::spawn(connection.state(log).state(gate).run());
    let client = Client::over(ours).connect().await.unwrap();
    assert_eq!(in_time(client.call(&Add { a: 1, b: 2 })).await.unwrap(), 3);
    client.close().await.unwrap();
    in_time(serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_over_a_stream_that_has_ended_is_not_told_to_try_again() {
    let (ours, theirs) = dip::pair();
    let connection = dip::Connection::over(theirs, Router::group("native"));
    let connection = connection.state(Log::default()).state(Gate::closed());
    let serving = tokio::spawn(connection.run());
    let client = Client::over(ours).connect().await.unwrap();
    assert_eq!(in_time(client.call(&Add { a: 1, b: 2 })).await.unwrap(), 3);
    serving.abort();
    in_time(client.disconnected()).await;
    for _ in 0..2 {
        let error = in_time(client.call(&Add { a: 1, b: 2 })).await.unwrap_err();
        assert!(matches!(error, CallError::NotSent(Reason::Gone)), "{error:?}");
        assert!(!error.is_retryable() && !error.may_have_run());
    }
}

#[tokio::test]
async fn a_message_that_a_stream_took_no_more_is_not_told_to_be_sent_again() {
    let (ours, theirs) = dip::pair();
    let limits = Limits::default().calls(1);
    let connection = dip::Connection::over(theirs, Router::group("native")).limits(limits);
    let (log, gate) = (Log::default(), Gate::closed());
    let serving = tokio::spawn(connection.state(log.clone()).state(gate).run());
    let client = Client::over(ours).connect().await.unwrap();
    let sent = tokio::spawn(client.send(&Wait("sent".into())));
    log.reaches(1).await;
    let unsent = tokio::spawn(client.send(&Wait("waits for a permit".into())));
    tokio::task::yield_now().await;
    serving.abort();
    assert!(in_time(sent).await.unwrap().unwrap_err().may_have_run());
    let error = in_time(unsent).await.unwrap().unwrap_err();
    assert!(matches!(error, CallError::NotSent(Reason::Gone)), "{error:?}");
}

#[tokio::test]
async fn who_waits_no_longer_for_the_end_leaves_nothing_behind() {
    struct Idle;
    impl Wake for Idle {
        fn wake(self: Arc<Self>) {}
    }
    let served = served().await;
    let wakers: Vec<_> = (0..100).map(|_| Arc::new(Idle)).collect();
    for idle in &wakers {
        let waker = Waker::from(idle.clone());
        let mut context = Context::from_waker(&waker);
        assert!(pin!(served.client.disconnected()).poll(&mut context).is_pending());
    }
    assert!(wakers.iter().all(|idle| Arc::strong_count(idle) == 1));

    let waits = served.client.clone();
    let waiting = tokio::spawn(async move { waits.disconnected().await });
    tokio::task::yield_now().await;
    served.abort();
    in_time(waiting).await.unwrap();
}
