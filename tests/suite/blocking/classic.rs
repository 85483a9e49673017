//! Towards classic servers: one message, one reply.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use dip::blocking::Client;
use dip::builtin::SetConnectionId;
use dip::{CallError, Reason, Uuid, Wire};

use super::support::*;

const SOON: Duration = Duration::from_millis(100);

/// The answer of a Python server to a HELLO.
const UNKNOWN: &[u8] =
    b"UnsupportedProtoError('No protocol found in registry for message type: 5')";

fn frame(stream: &mut UnixStream) -> Option<(u8, Vec<u8>)> {
    let mut header = [0; 5];
    stream.read_exact(&mut header).ok()?;
    let [mtype, length @ ..] = header;
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut body).ok()?;
    Some((mtype, body))
}

/// A classic server that answers a HELLO as one, acknowledges ids and replies `reply` of a body.
fn serve(stream: &mut UnixStream, reply: impl Fn(&[u8]) -> &'static [u8]) {
    while let Some((mtype, body)) = frame(stream) {
        let answer = match mtype {
            0x05 => UNKNOWN,
            0x1d => b"ok",
            _ => reply(&body),
        };
        if stream.write_all(answer).is_err() {
            return;
        }
    }
}

fn client(place: &Place) -> Client {
    Client::builder(place.path()).timeout(SOON * 20).connect().unwrap()
}

#[test]
fn a_classic_server_is_found_out_and_remembered() {
    let place = Place::new();
    let (tell, told) = std::sync::mpsc::channel();
    script(&place.path(), move |_, mut stream| {
        while let Some((mtype, _)) = frame(&mut stream) {
            tell.send(mtype).unwrap();
            stream.write_all(if mtype == 0x05 { UNKNOWN } else { b"ok" }).unwrap();
        }
    });
    for _ in 0..2 {
        let mut client = client(&place);
        assert_eq!(client.wire(), Wire::Classic);
        client.send_raw(b'O', "hi").unwrap();
        client.flush().unwrap();
        client.close().unwrap();
    }
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [0x05, 0x1d, b'O', 0x1d, b'O']);
}

#[test]
fn a_dip_server_speaks_the_classic_wire_too() {
    let (_place, served, _client) = served();
    let builder = Client::builder(served.address.as_str()).wire(Wire::Classic);
    let mut client = builder.connect().unwrap();
    assert_eq!(client.wire(), Wire::Classic);
    client.send_json("hello").unwrap();
    client.send(&SetConnectionId(Uuid::from_u128(7))).unwrap();
    assert!(served.server.peers().iter().any(|peer| peer.client_id() == Some(Uuid::from_u128(7))));
}

#[test]
fn what_the_classic_wire_cannot_carry_is_not_sent() {
    let place = Place::new();
    script(&place.path(), |_, mut stream| serve(&mut stream, |_| b"ok"));
    let mut client = client(&place);
    let error = client.call(&Add { a: 1, b: 2 }).unwrap_err();
    assert!(matches!(error, CallError::NotSent(Reason::NotSupported(_))), "{error:?}");
    let error = client.notify(&dip::builtin::Stdout("x".into())).unwrap_err();
    assert!(matches!(error, CallError::NotSent(Reason::NotSupported(_))), "{error:?}");
    let error = client.send_raw(b'O', "").unwrap_err();
    assert!(matches!(error, CallError::NotSent(Reason::EmptyBody)), "{error:?}");
    client.send_raw(b'O', "still there").unwrap();
}

#[test]
fn an_error_text_is_a_refusal_and_the_next_message_has_a_connection_of_its_own() {
    let place = Place::new();
    script(&place.path(), |_, mut stream| {
        serve(&mut stream, |body| if body == b"bad" { b"ValueError('no')" } else { b"ok" });
    });
    let mut client = client(&place);
    let error = client.send_raw(b'O', "bad").unwrap_err();
    let CallError::Rejected(remote) = error else { panic!("{error:?}") };
    assert_eq!(remote.text, "ValueError('no')");
    client.send_raw(b'O', "good").unwrap();
}

#[test]
fn a_late_reply_is_never_taken_for_that_to_the_next_message() {
    let place = Place::new();
    script(&place.path(), |number, mut stream| {
        std::thread::spawn(move || {
            serve(&mut stream, |body| {
                if body == b"slow" {
                    std::thread::sleep(SOON * 2);
                    return b"ok";
                }
                if number == 0 { b"ok" } else { b"ValueError('second')" }
            });
        });
    });
    let mut client = client(&place);
    let begun = Instant::now();
    let error = client.timeout(SOON).send_raw(b'O', "slow").unwrap_err();
    assert!(matches!(error, CallError::Deadline { sent: true }), "{error:?}");
    assert!(begun.elapsed() >= SOON);
    std::thread::sleep(SOON * 2);
    let error = client.send_raw(b'O', "fast").unwrap_err();
    assert!(matches!(error, CallError::Rejected(_)), "{error:?}");
}

#[test]
fn more_than_ok_is_no_reply() {
    let place = Place::new();
    script(&place.path(), |_, mut stream| serve(&mut stream, |_| b"okok"));
    let error = client(&place).send_raw(b'O', "x").unwrap_err();
    assert!(matches!(error, CallError::ConnectionLost), "{error:?}");
}

#[test]
fn a_connection_that_the_server_has_closed_is_replaced() {
    let place = Place::new();
    let (tell, closed) = std::sync::mpsc::channel();
    script(&place.path(), move |_, mut stream| {
        while let Some((mtype, _)) = frame(&mut stream) {
            stream.write_all(if mtype == 0x05 { UNKNOWN } else { b"ok" }).unwrap();
            if mtype == b'O' {
                break;
            }
        }
        drop(stream);
        tell.send(()).unwrap();
    });
    let mut client = client(&place);
    for _ in 0..5 {
        client.send_raw(b'O', "x").unwrap();
        // Before that a message could be under way when it is closed, and be lost.
        closed.recv_timeout(SOON * 20).unwrap();
    }
}
