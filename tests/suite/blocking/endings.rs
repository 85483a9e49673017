//! Deadlines, and servers that go away.

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use dip::blocking::Client;
use dip::{CallError, ConnectError, Error, Reason};

use super::support::*;

const MS: Duration = Duration::from_millis(1);

#[test]
fn a_late_call_ends_in_time_and_its_handler_is_stopped() {
    let (_place, served, mut client) = served();
    let (before, begun) = (DROPPED.load(SeqCst), Instant::now());
    let error = client.timeout(100 * MS).call(&Sleep(60_000)).unwrap_err();
    let took = begun.elapsed();
    assert!(is_late(&error), "{error:?}");
    assert!((100 * MS..1000 * MS).contains(&took), "{took:?}");
    eventually(|| DROPPED.load(SeqCst) > before);
    // What the server says of it is not taken for the next answer.
    assert_eq!(client.call(&Add { a: 1, b: 2 }).unwrap(), 3);
    assert_eq!(served.server.stats().accepted, 1);
}

#[test]
fn late_calls_give_their_permits_back() {
    let (_place, served, mut client) = served();
    for n in 0..600 {
        client.timeout(MS / 2).call(&Sleep(60_000)).unwrap_err();
        if n % 100 == 0 {
            assert_eq!(client.call(&Add { a: n, b: 2 }).unwrap(), n + 2);
        }
    }
    assert_eq!(served.server.stats().accepted, 1);
}

#[test]
fn a_time_of_its_own_holds_for_that_message_only() {
    let (_place, _served, mut client) = served();
    client.timeout(20 * MS).call(&Sleep(60_000)).unwrap_err();
    assert_eq!(client.call(&Sleep(50)).unwrap(), 50);
    assert_eq!(client.timeout(5000 * MS).call(&Sleep(50)).unwrap(), 50);
}

#[test]
fn the_time_of_the_client_is_that_of_each_message() {
    let (_place, served, _client) = served();
    let mut client = Client::builder(served.address.as_str()).timeout(30 * MS).connect().unwrap();
    let error = client.call(&Sleep(60_000)).unwrap_err();
    assert!(is_late(&error), "{error:?}");
}

#[test]
fn no_time_at_all_is_an_error_of_a_message_that_was_not_sent() {
    let (_place, _served, mut client) = served();
    let error = client.timeout(Duration::ZERO).call(&Add { a: 1, b: 2 }).unwrap_err();
    assert!(matches!(error, CallError::Deadline { sent: false }), "{error:?}");
    assert_eq!(client.call(&Add { a: 1, b: 2 }).unwrap(), 3);
}

#[test]
fn a_call_under_way_when_the_server_dies_may_have_been_handled() {
    let (_place, served, mut client) = served();
    let killer = std::thread::spawn(move || {
        std::thread::sleep(50 * MS);
        drop(served);
    });
    let begun = Instant::now();
    let error = client.call(&Sleep(60_000)).unwrap_err();
    assert!(error.may_have_run(), "{error:?}");
    assert!(begun.elapsed() < 5000 * MS);
    killer.join().unwrap();
}

#[test]
fn the_next_message_finds_a_server_that_was_restarted() {
    for pause in [Duration::ZERO, 30 * MS] {
        let (place, served, mut client) = served();
        assert_eq!(client.call(&Add { a: 1, b: 2 }).unwrap(), 3);
        drop(served);
        let again = place.serve();
        std::thread::sleep(pause);
        assert_eq!(client.call(&Add { a: 2, b: 3 }).unwrap(), 5);
        assert_eq!(again.server.stats().accepted, 1);
    }
}

#[test]
fn a_one_way_message_finds_a_server_that_was_restarted() {
    let (place, served, mut client) = served();
    client.call(&Add { a: 1, b: 2 }).unwrap();
    drop(served);
    let _again = place.serve();
    client.notify(&Note { to: "restart".into(), text: String::new() }).unwrap();
    client.flush().unwrap();
    assert_eq!(notes_to("restart").len(), 1);
}

#[test]
fn without_a_server_a_message_is_certainly_not_sent() {
    let (_place, served, mut client) = served();
    drop(served);
    for _ in 0..2 {
        let error = client.call(&Add { a: 1, b: 2 }).unwrap_err();
        let CallError::NotSent(Reason::Connect(error)) = error else { panic!("{error:?}") };
        assert!(matches!(error, ConnectError::NoServer { .. }), "{error}");
    }
    client.flush().unwrap();
    client.close().unwrap();
}

#[test]
fn flush_and_close_tell_of_one_way_messages_that_may_be_lost() {
    let note = || Note { to: "lost".into(), text: String::new() };
    for again in [false, true] {
        let (place, served, mut client) = served();
        client.notify(&note()).unwrap();
        drop(served);
        let _again = again.then(|| place.serve());
        if again {
            assert_eq!(client.call(&Add { a: 1, b: 2 }).unwrap(), 3, "by another connection");
        }
        assert!(matches!(client.flush(), Err(Error::ConnectionLost)));
        client.flush().unwrap();

        let (_place, served, mut client) = self::served();
        client.notify(&note()).unwrap();
        drop(served);
        assert!(matches!(client.close(), Err(Error::ConnectionLost)));
    }
}

#[test]
fn a_connection_that_is_lost_when_all_was_confirmed_is_no_error() {
    let (_place, served, mut client) = served();
    client.notify(&Note { to: "confirmed".into(), text: String::new() }).unwrap();
    client.flush().unwrap();
    assert_eq!(client.call(&Add { a: 1, b: 2 }).unwrap(), 3);
    drop(served);
    client.flush().unwrap();
    client.close().unwrap();
}

#[test]
fn a_one_way_message_that_is_sent_again_leaves_no_doubt() {
    let (place, served, mut client) = served();
    client.call(&Add { a: 1, b: 2 }).unwrap();
    drop(served);
    let _again = place.serve();
    client.notify(&Note { to: "again".into(), text: String::new() }).unwrap();
    client.close().unwrap();
    assert_eq!(notes_to("again").len(), 1);
}

#[test]
fn a_missing_server_and_a_bad_address_are_errors_of_connect() {
    let place = Place::new();
    let error = Client::connect(place.path()).unwrap_err();
    assert!(matches!(error, Error::Connect(ConnectError::NoServer { .. })), "{error}");
    assert!(matches!(Client::connect("tcp:").unwrap_err(), Error::Address(_)));
    let error = Client::connect("mem:blocking").unwrap_err();
    assert!(matches!(error, Error::Connect(ConnectError::NeedsRuntime { .. })), "{error}");
}

#[test]
fn a_client_over_a_socket_that_has_ended_is_not_told_to_try_again() {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    let server = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let theirs = tokio::net::UnixStream::from_std(theirs).unwrap();
            let router = dip::Router::group("blocking");
            let serving = dip::Connection::over(theirs, router).run();
            _ = tokio::time::timeout(200 * MS, serving).await;
        });
    });
    let mut client = Client::over(ours).connect().unwrap();
    assert_eq!(client.call(&Add { a: 1, b: 2 }).unwrap(), 3);
    server.join().unwrap();
    for _ in 0..2 {
        let error = client.call(&Add { a: 1, b: 2 }).unwrap_err();
        assert!(matches!(error, CallError::NotSent(Reason::Gone)), "{error:?}");
        assert!(!error.is_retryable() && !error.may_have_run());
    }
}

#[test]
fn a_socket_that_has_ended_is_not_connected_again() {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    drop(theirs);
    assert!(Client::over(ours).connect().is_err());
}
