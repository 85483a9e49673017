//! Peers that are not honest: what ends the connection, and what does not.

use super::*;
use crate::session::seeds::Random;

fn verdict(ours: Terms, frames: &[Frame]) -> Result<(), Violation> {
    let mut server = End::alone(ours);
    frames.iter().try_for_each(|frame| server.get(frame).map(drop))
}

fn is_out_of_place(frames: &[Frame]) -> bool {
    matches!(verdict(Terms::default(), frames), Err(Violation::OutOfPlace(_)))
}

#[test]
fn ids_are_of_the_right_side_not_zero_and_not_in_use() {
    for id in [0, 2, 0xffff_fffe] {
        assert!(is_out_of_place(&[Frame::request(id, b"")]), "{id}");
        assert!(is_out_of_place(&[
            Frame::notify(&[0; 10]).of(20),
            Frame::new(Kind::Cancel, id, b"")
        ]));
        let mut notice = Frame::notify(&[0; 10]).of(20);
        notice.header.call = id;
        assert!(is_out_of_place(&[notice]), "{id}");
    }
    assert!(is_out_of_place(&[Frame::request(1, b""), Frame::request(1, b"")]));
    let mut notice = Frame::notify(b"in one frame");
    notice.header.call = 1;
    assert!(is_out_of_place(&[notice]));
}

#[test]
fn an_answer_to_no_call_ends_the_connection() {
    for kind in [Kind::Reply, Kind::Error] {
        for id in [0, 1, 2, 0x0002_0000] {
            assert!(is_out_of_place(&[Frame::new(kind, id, &[0; 5])]), "{kind:?} {id}");
        }
    }
    let mut pair = Pair::new();
    let ticket = pair.client.call(b"");
    pair.settle();
    let answer = Frame::new(Kind::Reply, 1, b"yes");
    pair.client.get(&answer).unwrap();
    assert_eq!(pair.client.outcome(ticket), reply(b"yes"));
    assert!(matches!(pair.client.get(&answer), Err(Violation::OutOfPlace(_))), "a second answer");
}

#[test]
fn a_reply_before_the_call_is_there_ends_the_connection() {
    let mut client = Pair::new().client;
    client.call(&long(1_000_000));
    client.write_once();
    assert!(matches!(client.get(&Frame::new(Kind::Reply, 1, b"")), Err(Violation::OutOfPlace(_))));
    let mut client =
        Pair::with(Terms::default(), Terms { body_window: 16 << 20, ..Terms::default() }).client;
    client.call(&vec![0; 16 << 20]);
    client.call(&long(100_000));
    client.write_once();
    let refusal = Frame::new(Kind::Error, 3, &[0, 7, 0, 0, 0]);
    assert!(matches!(client.get(&refusal), Err(Violation::OutOfPlace(_))), "nothing of it is out");
}

#[test]
fn an_error_that_cannot_be_read_ends_the_connection() {
    let mut client = Pair::new().client;
    client.call(b"");
    let cut = Frame::new(Kind::Error, 1, &[0, 7, 0]);
    assert!(matches!(client.get(&cut), Err(Violation::Malformed(_))));
}

#[test]
fn more_calls_than_permits_end_the_connection() {
    let few = Terms { calls: 2, ..Terms::default() };
    let calls = [1, 3, 5].map(|id| Frame::request(id, b""));
    assert_eq!(verdict(few, &calls[..2]), Ok(()));
    assert!(matches!(verdict(few, &calls), Err(Violation::TooMany(_))));
}

#[test]
fn a_permit_is_free_when_the_answer_is_written_not_when_it_is_given() {
    let few = Terms { calls: 1, ..Terms::default() };
    let mut server = End::alone(few);
    server.get(&Frame::request(1, b"")).unwrap();
    let (key, _) = server.request();
    server.reply(key, b"");
    assert!(matches!(server.get(&Frame::request(3, b"")), Err(Violation::TooMany(_))));
    let mut server = End::alone(few);
    for id in [1, 3, 5, 7] {
        server.get(&Frame::request(id, b"").mtype(UNKNOWN)).unwrap();
        assert_eq!(kinds(&server.frames()), [Kind::Error]);
    }
}

#[test]
fn calls_refused_amid_their_bodies_are_bounded() {
    let few = Terms { calls: 4, nested_calls: 1, deepest: 1, ..Terms::default() };
    let mut server = End::alone(few);
    let mut result = Ok(());
    let mut taken = 0;
    while result.is_ok() && taken < 1000 {
        let id = 2 * taken + 1;
        result = server.get(&Frame::request(id, b"x").mtype(UNKNOWN).of(10)).map(drop);
        server.written();
        taken += 1;
    }
    assert!(matches!(result, Err(Violation::TooMany(_))));
    assert!(taken < 10, "{taken}");
}

#[test]
fn credit_has_a_limit() {
    let credit = |kind, amount| Frame::new(Kind::Credit, 0, &Credit { kind, amount }.encode());
    let (left, most) = (1024, i32::MAX as u32);
    let notify = |amount| verdict(Terms::default(), &[credit(CreditKind::Notify, amount)]);
    assert_eq!(notify(most - left), Ok(()));
    assert!(matches!(notify(most - left + 1), Err(Violation::TooMany(_))));
    let body = |amount| verdict(Terms::default(), &[credit(CreditKind::Body, amount)]);
    assert_eq!(body(most - (32 << 20)), Ok(()));
    assert!(matches!(body(most - (32 << 20) + 1), Err(Violation::TooMany(_))));
    assert!(is_out_of_place(&[
        Frame::request(1, b""),
        Frame::new(Kind::Credit, 1, &[1, 0, 0, 0, 1])
    ]));
}

#[test]
fn frames_of_streams_have_no_place_in_a_call_and_are_ignored_after_it() {
    let stream_credit = [2, 0, 0, 0, 1];
    for (kind, body) in [
        (Kind::Item, &b"item"[..]),
        (Kind::End, &[0]),
        (Kind::Stop, &[]),
        (Kind::Credit, &stream_credit),
    ] {
        let stray = |id| Frame::new(kind, id, body);
        assert!(is_out_of_place(&[Frame::request(1, b""), stray(1)]), "{kind:?} in a live call");
        assert!(is_out_of_place(&[stray(0)]), "{kind:?} without a call");
        let mut server = End::alone(Terms::default());
        server.get(&Frame::request(1, b"")).unwrap();
        let (key, _) = server.request();
        server.reply(key, b"");
        server.get(&stray(1)).unwrap().get(&stray(2)).unwrap();
        server.get(&Frame::request(3, b"goes on")).unwrap();
        assert_eq!(server.request().1, "goes on");
    }
}

#[test]
fn frames_with_more_in_them_than_their_kind_has_end_the_connection() {
    let ping = Frame::new(Kind::Ping, 0, &[0; 8]);
    for frame in [
        Frame::new(Kind::Ping, 0, &[0; 7]),
        Frame::new(Kind::Ping, 3, &[0; 8]),
        Frame::new(Kind::Goaway, 1, &[0, 0]),
        Frame::new(Kind::Goaway, 0, &[0]),
        Frame::new(Kind::Goaway, 0, &[0; 5000]),
        Frame::new(Kind::Cancel, 1, b"why"),
        Frame::new(Kind::Auth, 0, &[0; 32]),
        Frame::new(Kind::Credit, 0, &[1, 0, 0, 0]),
        ping.clone().more(),
        ping.clone().mtype(1),
        ping.deadline(5),
    ] {
        let violation = verdict(Terms::default(), std::slice::from_ref(&frame));
        assert!(
            matches!(violation, Err(Violation::Malformed(_) | Violation::OutOfPlace(_))),
            "{frame:?}"
        );
    }
}

#[test]
fn frames_of_later_versions_are_skipped_and_of_reserved_kinds_are_not() {
    let mut server = End::alone(Terms::default());
    let mut later = Frame::new(Kind::Item, 77, &long(100_000)).encode();
    (later[0], later[1]) = (0x80, 0xfe);
    later.extend(Frame::request(1, b"next").encode());
    server.receive(&later).unwrap();
    assert_eq!(server.request().1, "next");
    for kind in [0x00, 0x0e, 0x10, 0x12, 0x7f] {
        let mut server = End::alone(Terms::default());
        let mut reserved = Frame::new(Kind::Item, 1, b"").encode();
        reserved[0] = kind;
        assert!(matches!(server.receive(&reserved), Err(Violation::Malformed(_))), "{kind:#x}");
    }
}

/// How many of these a peer may send, one after the other.
fn how_many(server: &mut End, frame: &[u8]) -> usize {
    let mut sent = 0;
    while sent < 100_000 && server.receive(frame).is_ok() {
        sent += 1;
    }
    sent
}

#[test]
fn frames_that_cost_nothing_are_counted() {
    let mut later = Frame::new(Kind::Item, 77, b"").encode();
    later[0] = 0x80;
    let goodbye = Frame::new(Kind::Goaway, 0, &[0, 0]);
    for (frame, free) in [
        (Frame::new(Kind::Ping, 0, &[0; 8]).encode(), 100),
        (Frame::new(Kind::Cancel, 1, b"").encode(), 100),
        (Frame::new(Kind::Item, 1, b"x").encode(), 100),
        (Frame::new(Kind::Stop, 2, b"").encode(), 100),
        (goodbye.encode(), 101),
        (later, 100),
    ] {
        let mut server = End::alone(Terms::default());
        assert_eq!(how_many(&mut server, &frame), free, "{frame:x?}");
    }
}

#[test]
fn the_budget_is_for_ten_seconds_and_grows_with_messages() {
    let ping = Frame::new(Kind::Ping, 0, &[0; 8]).encode();
    let mut server = End::alone(Terms::default());
    for _ in 0..100 {
        server.receive(&ping).unwrap();
    }
    server.now += Duration::from_secs(10);
    for _ in 0..100 {
        server.receive(&ping).unwrap();
    }
    for id in 0..1000 {
        server.get(&Frame::request(2 * id + 1, b"")).unwrap();
        let (key, _) = server.request();
        server.reply(key, b"");
        server.written();
    }
    // The first asks about the messages before it, which is free.
    assert_eq!(how_many(&mut server, &ping), 1 + 100);
    assert!(matches!(server.receive(&ping), Err(Violation::Flood)));
}

#[test]
fn a_ping_amid_the_pieces_of_a_body_is_not_free() {
    let ping = Frame::new(Kind::Ping, 0, &[0; 8]);
    let mut server = End::alone(Terms::default());
    server.get(&Frame::request(1, b"x").of(1 << 20)).unwrap().get(&ping).unwrap();
    let piece = [Frame::new(Kind::Request, 1, b"x").more(), ping].map(|frame| frame.encode());
    assert_eq!(how_many(&mut server, &piece.concat()), 100);
}

#[test]
fn a_cancel_of_any_call_is_free_once_however_late_it_comes() {
    let mut server = End::alone(Terms::default());
    for id in 0..1000 {
        let id = 2 * id + 1;
        server.get(&Frame::request(id, b"")).unwrap();
        let (key, _) = server.request();
        server.reply(key, b"");
        server.written();
        server.get(&Frame::new(Kind::Cancel, id, b"")).unwrap();
    }
    let cancel = Frame::new(Kind::Cancel, 1, b"").encode();
    assert_eq!(how_many(&mut server, &cancel), 200);
}

#[test]
fn random_frames_never_panic_and_take_bounded_memory() {
    let ours = Terms { body_window: 1 << 20, max_message: 1 << 20, ..Terms::default() };
    for seed in 0..3000 {
        let mut random = Random::new(seed);
        let mut server = End::alone(ours);
        let calls: Vec<_> = (0..random.up_to(5)).map(|_| server.call(b"")).collect();
        for _ in 0..60 {
            let bytes = bytes(&mut random);
            if server.receive(&bytes).is_err() {
                break;
            }
            server.got.truncate(20);
            if random.one_in(3) {
                server.written();
            }
            assert!(server.session.held() <= (1 << 20) + (64 << 10));
            assert!(server.session.output.len() < 4 << 20);
            server.now += Duration::from_millis(random.below(50));
            server.session.timed_out(server.now);
        }
        let mut output = std::mem::take(server.session.output());
        output.advance(usize::MAX);
        server.session.lost();
        server.input.end(&mut server.house);
        assert_eq!(server.house.memory, 1 << 30);
        assert!(calls.iter().all(|ticket| server.outcome(*ticket).is_some()));
    }
}

/// A frame that may be right, now and then with a byte that is not.
fn bytes(random: &mut Random) -> Vec<u8> {
    let kind = Kind::ALL[random.up_to(Kind::ALL.len() - 1)];
    let id = random.below(12) as u32;
    let most = if random.one_in(10) { 40_000 } else { 40 };
    let body = match kind {
        Kind::Ping | Kind::Pong => vec![0; 8],
        Kind::Credit => vec![1 + random.below(3) as u8, 0, 0, 0, 3],
        Kind::Error => vec![0, 7, 0, 0, 0],
        Kind::Cancel | Kind::Stop => vec![],
        _ => vec![0; random.up_to(most)],
    };
    let mut frame = Frame::new(kind, id, &body);
    if matches!(kind, Kind::Request | Kind::Notify) && !random.one_in(3) {
        frame = frame.mtype(if random.one_in(4) { UNKNOWN } else { 0x41 });
    }
    if random.one_in(4) {
        frame = frame.of(body.len() as u64 + random.below(50_000));
    } else if random.one_in(5) {
        frame = frame.more();
    }
    if random.one_in(5) {
        frame = frame.parent(random.below(6) as u32);
    }
    if random.one_in(3) {
        frame = frame.deadline(1 + random.below(100) as u32);
    }
    let mut bytes = frame.encode();
    if random.one_in(20) {
        let at = random.up_to(bytes.len() - 1);
        bytes[at] = random.next() as u8;
    }
    bytes
}
