//! Peers that do not keep to the rules of the wire, and what becomes of the others.

use dip::{Address, CallError, Client, CloseReason, Limits, Protocol, Router, Server, Wire};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::raw::{ERROR, GOAWAY, NOTIFY, PING, PONG, REPLY, REQUEST, Raw, frame, hello, preface};
use super::support::{
    Add, Bounce, Bounced, Echo, Gate, Left, Line, Log, Note, Served, Unheard, Wait, in_time, ms,
    served, served_with, until,
};

/// The server closes this connection for that reason, and serves the others on.
async fn is_closed(served: &Served, raw: &mut Raw, reason: CloseReason) {
    let last = raw.rest().await;
    until(|| served.server.stats().closed(reason) == 1).await;
    if reason == CloseReason::Violation {
        assert_eq!(last.last().map(|frame| frame.kind), Some(GOAWAY), "{last:?}");
    }
    assert_eq!(in_time(served.client.call(&Add { a: 1, b: 2 })).await.unwrap(), 3);
}

#[tokio::test]
async fn a_call_by_hand_is_answered() {
    let served = served().await;
    let mut raw = Raw::connect(&served.path).await;
    raw.write(&frame(REQUEST, 1, Add::MTYPE.number(), &[2, 4])).await;
    let reply = raw.next_of(REPLY).await;
    assert_eq!((reply.call, reply.flags, &reply.body[..]), (1, 0, &[6][..]));
}

#[tokio::test]
async fn an_unknown_type_and_a_bad_body_are_answered_and_the_connection_goes_on() {
    let served = served().await;
    let mut raw = Raw::connect(&served.path).await;
    let kinds = [(0x8000_0001, 2), (Unheard::MTYPE.number(), 3), (Add::MTYPE.number(), 5)];
    for (call, (mtype, code)) in (1..).step_by(2).zip(kinds) {
        raw.write(&frame(REQUEST, call, mtype, b"")).await;
        let error = raw.next_of(ERROR).await;
        assert_eq!((error.call, &error.body[..3]), (call, &[0, code, 0][..]), "{error:?}");
    }
    raw.write(&frame(REQUEST, 9, Add::MTYPE.number(), &[2, 4])).await;
    assert_eq!(raw.next_of(REPLY).await.call, 9);
}

#[tokio::test]
async fn a_ping_is_answered_behind_what_came_before_it() {
    let served = served().await;
    let mut raw = Raw::connect(&served.path).await;
    let mut bytes = frame(NOTIFY, 0, Note::MTYPE.number(), b"\x01x");
    bytes.extend(frame(PING, 0, 0, b"12345678"));
    raw.write(&bytes).await;
    assert_eq!(raw.next_of(PONG).await.body, b"12345678");
    assert_eq!(served.log.all(), ["x"]);
}

#[tokio::test]
async fn a_frame_of_a_later_version_is_skipped_and_one_of_no_version_closes() {
    let served = served().await;
    let mut raw = Raw::connect(&served.path).await;
    raw.write(&frame(0x80, 7, 0, &[9; 1000])).await;
    raw.write(&frame(REQUEST, 1, Add::MTYPE.number(), &[2, 4])).await;
    assert_eq!(raw.next_of(REPLY).await.call, 1);
    raw.write(&frame(0x7f, 0, 0, b"")).await;
    is_closed(&served, &mut raw, CloseReason::Violation).await;
}

#[tokio::test]
async fn a_reply_to_no_call_closes() {
    let served = served().await;
    let mut raw = Raw::connect(&served.path).await;
    raw.write(&frame(REPLY, 2, 0, b"")).await;
    is_closed(&served, &mut raw, CloseReason::Violation).await;
}

#[tokio::test]
async fn more_calls_than_there_are_permits_close() {
    let served = served_with(|builder| builder.limits(Limits::default().calls(2))).await;
    let mut raw = Raw::connect(&served.path).await;
    for call in [1, 3, 5] {
        raw.write(&frame(REQUEST, call, Wait::MTYPE.number(), b"\x01x")).await;
    }
    is_closed(&served, &mut raw, CloseReason::Violation).await;
    // The handlers of those that were taken are stopped.
    until(|| served.in_flight::<Wait>() == 0).await;
}

#[tokio::test]
async fn a_flood_of_pings_closes() {
    let served = served().await;
    let mut raw = Raw::connect(&served.path).await;
    let pings: Vec<u8> = (0..1000).flat_map(|_| frame(PING, 0, 0, &[0; 8])).collect();
    raw.write(&pings).await;
    is_closed(&served, &mut raw, CloseReason::Violation).await;
}

#[tokio::test]
async fn a_frame_that_never_ends_closes_in_time() {
    let limits = Limits::default().frame(ms(50));
    let served = served_with(|builder| builder.limits(limits)).await;
    let mut raw = Raw::connect(&served.path).await;
    raw.write(&frame(REQUEST, 1, Add::MTYPE.number(), &[2, 4])[..10]).await;
    is_closed(&served, &mut raw, CloseReason::FrameTimeout).await;
}

#[tokio::test]
async fn a_frame_of_four_gibibytes_is_not_waited_for() {
    let served = served().await;
    let mut raw = Raw::connect(&served.path).await;
    let mut header = frame(REQUEST, 1, Add::MTYPE.number(), b"");
    header[12..].copy_from_slice(&u32::MAX.to_be_bytes());
    raw.write(&header).await;
    is_closed(&served, &mut raw, CloseReason::Violation).await;
}

#[tokio::test]
async fn a_peer_that_reads_nothing_is_closed_and_others_go_on() {
    let limits = Limits::default().write(ms(100));
    let served = served_with(|builder| builder.limits(limits)).await;
    let mut raw = Raw::connect(&served.path).await;
    let call = |call| frame(REQUEST, call, Echo::MTYPE.number(), &[7; 12 << 10]);
    let calls: Vec<u8> = (0..100).flat_map(|n| call(n * 2 + 1)).collect();
    raw.write(&calls).await;
    until(|| served.server.stats().closed(CloseReason::SlowConsumer) == 1).await;
    assert_eq!(in_time(served.client.call(&Add { a: 1, b: 2 })).await.unwrap(), 3);
}

#[tokio::test]
async fn a_preface_that_is_none_is_refused_with_a_reason() {
    let served = served().await;
    let bad =
        [preface(5, b"not dip\0\x01"), preface(5, b"dip\0\x09\x09\0\0"), hello()[..20].to_vec()];
    for (count, bytes) in (1..).zip(bad) {
        let mut stream = in_time(UnixStream::connect(&served.path)).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        in_time(stream.read_to_end(&mut answer)).await.unwrap();
        if count < 3 {
            assert_eq!(answer[0], 6, "a WELCOME that says why");
            assert_ne!(answer[10], 0, "its status");
        } else {
            assert!(answer.is_empty(), "nobody is left to be told");
        }
    }
    assert_eq!(in_time(served.client.call(&Add { a: 1, b: 2 })).await.unwrap(), 3);
}

#[tokio::test]
async fn a_refusal_arrives_although_more_was_sent_behind_the_preface() {
    let server = Server::builder("tcp:localhost:0").router(Router::group("native"));
    let server = server.state(Log::default()).state(Gate::closed()).insecure_no_auth(true);
    let bound = server.bind().await.unwrap();
    let Address::Tcp { port, .. } = *bound.local_addr() else { panic!("{}", bound.local_addr()) };
    tokio::spawn(bound.run());
    let mut stream = in_time(TcpStream::connect(("127.0.0.1", port))).await.unwrap();
    let refused = [&preface(5, b"dip\0\x09\x09\0\0")[..], &[b'x'; 64 << 10]].concat();
    stream.write_all(&refused).await.unwrap();
    let mut answer = Vec::new();
    in_time(stream.read_to_end(&mut answer)).await.unwrap();
    assert_eq!((answer[0], answer[10]), (6, 1), "no common version");
}

#[tokio::test]
async fn a_listener_serves_both_wires_at_once() {
    let served = served().await;
    let classic = Client::builder(&*served.path).wire(Wire::Classic).connect().await.unwrap();
    assert_eq!(classic.wire(), Wire::Classic);
    classic.send_raw(b'O', "text").await.unwrap();
    let error = in_time(classic.call(&Add { a: 1, b: 2 })).await.unwrap_err();
    assert!(matches!(error, CallError::NotSent(dip::Reason::NotSupported(_))), "{error:?}");
    assert_eq!(in_time(served.client.call(&Left)).await.unwrap() / 1000, 6);
    assert_eq!(in_time(served.client.call(&Bounce(3))).await.unwrap(), Bounced(3, String::new()));
    in_time(served.client.notify(&Line(1))).await.unwrap();
}

#[tokio::test]
async fn a_server_without_the_native_wire_is_spoken_to_on_the_other() {
    let served = served_with(|builder| builder.native(false)).await;
    assert_eq!(served.client.wire(), Wire::Classic);
    in_time(served.client.send(&dip::builtin::Stdout("x".into()))).await.unwrap();
    let native = served.another().wire(Wire::Native).connect().await.unwrap_err();
    assert!(native.to_string().contains("classic wire only"), "{native}");
}

#[tokio::test]
async fn a_server_without_the_classic_wire_turns_its_peers_away() {
    let served = served_with(|builder| builder.classic(false)).await;
    assert_eq!(served.client.wire(), Wire::Native);
    let classic = served.another().wire(Wire::Classic).connect().await.unwrap_err();
    assert!(classic.to_string().contains("does not speak the classic wire"), "{classic}");
    until(|| served.server.stats().closed(CloseReason::Denied) == 1).await;
}
