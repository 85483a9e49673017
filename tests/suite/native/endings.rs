//! How connections and servers end, and what callers learn of it.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use dip::{CallError, Client, Error, Limits, Reason, Router, Server};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::raw::preface;
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

/// A server that takes what comes and confirms nothing, until it is told to leave.
async fn deaf(path: &std::path::Path) -> tokio::sync::oneshot::Sender<()> {
    let listener = tokio::net::UnixListener::bind(path).unwrap();
    let (leave, left) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut hello = [0; 4096];
        assert!(stream.read(&mut hello).await.unwrap() > 0);
        let instance = [&[2, 0, 0, 0, 16][..], &[7; 16]].concat();
        let welcome = preface(6, &[b"dip\0\x01\0\0\0", &instance[..]].concat());
        stream.write_all(&welcome).await.unwrap();
        let mut nowhere = tokio::io::sink();
        tokio::select! {
            _ = tokio::io::copy(&mut stream, &mut nowhere) => {}
            _ = left => {}
        }
    });
    leave
}

#[tokio::test]
async fn flush_and_close_tell_of_one_way_messages_that_may_be_lost() {
    for (waits, reconnects) in [(true, false), (false, false), (false, true)] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let leave = deaf(&path).await;
        let client = Client::connect(&*path).await.unwrap();
        client.notify(&Note("sent".into())).await.unwrap();
        let waiting = client.clone();
        let flushing = tokio::spawn(async move { waiting.flush().await });
        tokio::task::yield_now().await;
        if !waits {
            flushing.abort();
        }
        leave.send(()).unwrap();
        in_time(client.disconnected()).await;
        let bound = Server::builder(&*path).router(Router::group("native"));
        if reconnects {
            let bound = bound.state(Log::default()).state(Gate::closed()).bind().await.unwrap();
            tokio::spawn(bound.run());
            assert_eq!(in_time(client.call(&Add { a: 1, b: 2 })).await.unwrap(), 3);
        }
        let lost = |flushed| matches!(flushed, Err(Error::ConnectionLost));
        if waits {
            assert!(lost(in_time(flushing).await.unwrap()));
        } else {
            assert!(lost(client.flush().await));
        }
        in_time(client.flush()).await.unwrap();
        in_time(client.close()).await.unwrap();
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let leave = deaf(&path).await;
    let client = Client::connect(&*path).await.unwrap();
    client.notify(&Note("sent".into())).await.unwrap();
    leave.send(()).unwrap();
    in_time(client.disconnected()).await;
    assert!(matches!(client.close().await, Err(Error::ConnectionLost)));
}

#[tokio::test]
async fn a_connection_that_is_lost_when_all_was_confirmed_is_no_error() {
    let served = served().await;
    served.client.notify(&Note("confirmed".into())).await.unwrap();
    served.client.flush().await.unwrap();
    assert_eq!(in_time(served.client.call(&Add { a: 1, b: 2 })).await.unwrap(), 3);
    served.abort();
    in_time(served.client.disconnected()).await;
    served.client.flush().await.unwrap();
    served.client.close().await.unwrap();
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
