//! Messages that go well, and answers that say no.

use std::time::Duration;

use dip::blocking::Client;
use dip::{Bytes, CallError, Code, Limits, Mtype, Protocol, Reason, Wire};

use super::support::*;

#[test]
fn a_call_comes_back_with_its_reply() {
    let (_place, _served, mut client) = served();
    assert_eq!(client.wire(), Wire::Native);
    assert_eq!(client.call(&Add { a: 1, b: 2 }).unwrap(), 3);
    client.close().unwrap();
}

#[test]
fn a_declared_error_comes_back_as_its_value() {
    let (_place, _served, mut client) = served();
    let error = client.call(&Add { a: i64::MAX, b: 1 }).unwrap_err();
    assert_eq!(error.into_app(), Some(Overflow { by: 1 }));
}

#[test]
fn a_rejection_comes_back_with_class_and_code() {
    let (_place, _served, mut client) = served();
    let error = client.send(&Refuse("no".into())).unwrap_err();
    let CallError::Rejected(remote) = error else { panic!("{error:?}") };
    assert_eq!((remote.code, remote.class()), (Code::Rejected, "ValueError"));
}

#[test]
fn a_type_that_the_server_does_not_know_is_refused_and_the_connection_kept() {
    let (_place, served, mut client) = served();
    let error = client.send_raw(Mtype::name("blocking.unknown"), "x").unwrap_err();
    let CallError::Rejected(remote) = error else { panic!("{error:?}") };
    assert_eq!(remote.code, Code::UnknownType);
    assert_eq!(client.call(&Add { a: 1, b: 2 }).unwrap(), 3);
    assert_eq!(served.server.stats().accepted, 1);
}

#[test]
fn many_calls_one_after_the_other_share_a_connection() {
    let (_place, served, mut client) = served();
    for n in 0..2000 {
        assert_eq!(client.call(&Add { a: n, b: 1 }).unwrap(), n + 1);
    }
    assert_eq!(served.server.stats().accepted, 1);
}

#[test]
fn values_and_bytes_without_a_type_of_their_own_are_sent_too() {
    let (_place, served, mut client) = served();
    client.send_json(&serde_json::json!({"hello": ["world"]})).unwrap();
    client.send_pickle(&("task", 7)).unwrap();
    client.send_raw(b'O', "out").unwrap();
    assert_eq!(served.server.stats().accepted, 1);
}

#[test]
fn a_raw_call_comes_back_with_the_bytes_of_the_reply() {
    let (_place, _served, mut client) = served();
    assert_eq!(client.call_raw(Echo::MTYPE, "as it is").unwrap(), "as it is");
    assert_eq!(client.call_raw(b'O', "out").unwrap(), "");
    let error = client.call_raw(Mtype::name("blocking.unknown"), "x").unwrap_err();
    assert!(matches!(error, CallError::Rejected(_)), "{error:?}");
}

#[test]
fn flush_returns_when_all_one_way_messages_have_come_to_their_handlers() {
    let (_place, _served, mut client) = served();
    for n in 0..100 {
        let note = Note { to: "flush".into(), text: n.to_string() };
        client.notify(&note).unwrap();
    }
    client.flush().unwrap();
    let sent: Vec<_> = (0..100).map(|n| n.to_string()).collect();
    assert_eq!(notes_to("flush"), sent);
}

#[test]
fn one_way_messages_wait_for_credit_and_none_is_lost() {
    let (_place, _served, mut client) = served();
    let text = "x".repeat(10 << 10);
    // Ten times what the server takes before it has handled some.
    for _ in 0..1000 {
        client.notify(&Note { to: "credit".into(), text: text.clone() }).unwrap();
    }
    client.close().unwrap();
    assert_eq!(notes_to("credit").len(), 1000);
}

#[test]
fn a_client_that_is_dropped_has_sent_what_it_was_given() {
    let (_place, _served, mut client) = served();
    client.notify(&Note { to: "drop".into(), text: "x".repeat(1 << 20) }).unwrap();
    drop(client);
    eventually(|| notes_to("drop").len() == 1);
}

#[test]
fn large_bodies_go_both_ways_again_and_again() {
    let (_place, served, mut client) = served();
    for len in [0, 1, 16 << 10, (16 << 10) + 1, 256 << 10, (1 << 20) + 3, 16 << 20, 16 << 20] {
        let body: Bytes = (0..len).map(|n| (n % 251) as u8).collect::<Vec<_>>().into();
        assert!(client.call(&Echo(body.clone())).unwrap() == body, "{len} bytes");
    }
    assert_eq!(served.server.stats().accepted, 1);
}

#[test]
fn a_body_that_is_too_long_is_not_sent() {
    let place = Place::new();
    let limits = Limits::default().max_message("1 MiB").max_builtin_message("1 MiB");
    let served = Served::at(place.path().to_str().unwrap(), |builder| builder.limits(limits));
    let mut client = served.client();
    let error = client.call(&Echo(vec![0; (1 << 20) + 1].into())).unwrap_err();
    assert!(matches!(error, CallError::NotSent(Reason::TooLarge { .. })), "{error:?}");
    assert_eq!(client.call(&Add { a: 1, b: 2 }).unwrap(), 3);
}

#[test]
fn the_server_cannot_call_a_blocking_client() {
    let (_place, served, mut client) = served();
    let error = client.call(&CallBack).unwrap();
    assert!(error.contains("NotSent(NotSupported("), "{error}");
    assert!(error.contains("blocking client"), "{error}");
    assert_eq!(served.server.peers().len(), 1);
}

#[test]
fn tcp_is_spoken_too() {
    let served = Served::at("tcp:localhost:0", |builder| builder.insecure_no_auth(true));
    let mut client = served.client();
    assert_eq!(client.call(&Add { a: 1, b: 2 }).unwrap(), 3);
    let body = Bytes::from(vec![7; 3 << 20]);
    assert!(client.call(&Echo(body.clone())).unwrap() == body);
    client.close().unwrap();
}

#[test]
fn a_socket_that_is_connected_already_will_do() {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    // One that does not wait is waited for.
    ours.set_nonblocking(true).unwrap();
    let server = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let theirs = tokio::net::UnixStream::from_std(theirs).unwrap();
            let connection = dip::Connection::over(theirs, dip::Router::group("blocking"));
            connection.run().await
        })
    });
    let mut client = Client::over(ours).connect().unwrap();
    assert_eq!(client.call(&Add { a: 1, b: 2 }).unwrap(), 3);
    client.close().unwrap();
    server.join().unwrap().unwrap();
}

#[tokio::test]
async fn it_may_be_used_within_a_runtime() {
    let (_place, _served, mut client) = served();
    assert_eq!(client.call(&Add { a: 1, b: 2 }).unwrap(), 3);
    let error = client.timeout(Duration::from_millis(20)).call(&Sleep(10_000)).unwrap_err();
    assert!(is_late(&error), "{error:?}");
    client.close().unwrap();
}

#[test]
fn clients_of_many_threads_are_served_side_by_side() {
    let (_place, served, client) = served();
    std::thread::scope(|scope| {
        for n in 0..8 {
            let served = &served;
            scope.spawn(move || {
                let mut client = served.client();
                for m in 0..200 {
                    assert_eq!(client.call(&Add { a: n, b: m }).unwrap(), n + m);
                }
            });
        }
    });
    assert!(format!("{client:?}").contains("Native"));
}
