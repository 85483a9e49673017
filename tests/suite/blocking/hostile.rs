//! Servers that are slow, silent, or break the rules.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use dip::blocking::Client;
use dip::{CallError, ConnectError, Error, Reason};

use super::support::*;

const SOON: Duration = Duration::from_millis(100);

/// A WELCOME whose INSTANCE is all zeros, from a side that accepts the defaults.
const WELCOME: &[u8] =
    b"\x06\0\0\0\x1ddip\0\x01\0\0\0\x02\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// Takes the HELLO and answers it.
fn welcome(stream: &mut UnixStream) {
    let mut header = [0; 5];
    stream.read_exact(&mut header).unwrap();
    let len = u32::from_be_bytes([header[1], header[2], header[3], header[4]]);
    let mut hello = vec![0; len as usize];
    stream.read_exact(&mut hello).unwrap();
    stream.write_all(WELCOME).unwrap();
}

fn client(place: &Place) -> Client {
    Client::builder(place.path()).timeout(SOON).connect().unwrap()
}

#[test]
fn a_server_that_says_nothing_ends_connect_in_time() {
    let place = Place::new();
    script(&place.path(), |_, stream| {
        std::thread::sleep(SOON * 10);
        drop(stream);
    });
    let begun = Instant::now();
    let error = Client::builder(place.path()).timeout(SOON).connect().unwrap_err();
    assert!(matches!(error, Error::Connect(ConnectError::TimedOut { .. })), "{error}");
    assert!((SOON..SOON * 5).contains(&begun.elapsed()));
}

#[test]
fn a_server_of_another_kind_is_quoted() {
    let place = Place::new();
    script(&place.path(), |_, mut stream| stream.write_all(b"HTTP/1.1 400 Bad Request").unwrap());
    let error = Client::connect(place.path()).unwrap_err();
    let Error::NotSent(Reason::Refused(remote)) = error else { panic!("{error}") };
    assert_eq!(remote.text, "HTTP/1.1 400 Bad Request");
}

#[test]
fn a_server_that_breaks_the_rules_is_left() {
    // An answer to no call; a call to a side that takes none; a frame of an unknown kind.
    for frame in [[2, 0, 0, 0, 0, 0, 0, 9], [1, 0, 0, 0, 0, 0, 0, 2], [0x7f, 0, 0, 0, 0, 0, 0, 1]] {
        let place = Place::new();
        script(&place.path(), move |_, mut stream| {
            welcome(&mut stream);
            stream.read_exact(&mut [0; 16]).unwrap();
            stream.write_all(&frame).unwrap();
            stream.write_all(&[0; 8]).unwrap();
            stream.read_to_end(&mut Vec::new()).unwrap();
        });
        let begun = Instant::now();
        let mut client = Client::connect(place.path()).unwrap();
        let error = client.call(&Add { a: 1, b: 2 }).unwrap_err();
        assert!(matches!(error, CallError::ConnectionLost), "{error:?}");
        assert!(begun.elapsed() < SOON * 20);
    }
}

#[test]
fn a_late_call_is_cancelled() {
    let place = Place::new();
    let (tell, told) = std::sync::mpsc::channel();
    script(&place.path(), move |_, mut stream| {
        welcome(&mut stream);
        let mut frames = [0; 16 + 7 + 2 + 16];
        stream.read_exact(&mut frames).unwrap();
        tell.send(frames).unwrap();
        std::thread::sleep(SOON * 30);
    });
    let error = client(&place).call(&Add { a: 1, b: 2 }).unwrap_err();
    assert!(matches!(error, CallError::Deadline { sent: true }), "{error:?}");
    let frames = told.recv_timeout(SOON * 20).unwrap();
    let cancel = &frames[25..];
    assert_eq!((cancel[0], &cancel[4..8]), (0x08, &frames[4..8]));
}

#[test]
fn a_server_that_takes_no_bytes_does_not_hold_a_message_longer_than_its_time() {
    let place = Place::new();
    script(&place.path(), |_, mut stream| {
        welcome(&mut stream);
        std::thread::sleep(SOON * 30);
    });
    let mut client = client(&place);
    let begun = Instant::now();
    let error = client.call(&Echo(vec![0; 8 << 20].into())).unwrap_err();
    assert!(matches!(error, CallError::Deadline { sent: false }), "{error:?}");
    let error = client.notify(&Note { to: "nobody".into(), text: String::new() }).unwrap_err();
    assert!(matches!(error, CallError::ConnectionLost), "{error:?}");
    assert!((SOON * 2..SOON * 10).contains(&begun.elapsed()), "{:?}", begun.elapsed());
}

#[test]
fn a_one_way_message_that_began_to_leave_ends_with_its_connection() {
    let place = Place::new();
    script(&place.path(), |_, mut stream| {
        welcome(&mut stream);
        std::thread::sleep(SOON * 30);
    });
    let mut client = client(&place);
    let note = Note { to: "nobody".into(), text: "x".repeat(8 << 20) };
    let error = client.notify(&note).unwrap_err();
    assert!(matches!(error, CallError::NotSent(Reason::SlowPeer)), "{error:?}");
}

#[test]
fn a_goodbye_sends_the_next_message_elsewhere() {
    let place = Place::new();
    script(&place.path(), |number, mut stream| {
        welcome(&mut stream);
        if number == 0 {
            stream.write_all(b"\x0c\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\0\0").unwrap();
            return;
        }
        let mut request = [0; 16 + 7 + 2];
        stream.read_exact(&mut request).unwrap();
        let mut reply = *b"\x02\0\0\0....\0\0\0\0\0\0\0\x01\x06";
        reply[4..8].copy_from_slice(&request[4..8]);
        stream.write_all(&reply).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    });
    let mut client = client(&place);
    std::thread::sleep(SOON);
    assert_eq!(client.call(&Add { a: 1, b: 2 }).unwrap(), 3);
}
