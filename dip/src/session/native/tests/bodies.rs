//! Long bodies: pieces, the window, memory.

use super::*;

const MIB: u32 = 1 << 20;

fn window(body_window: u64) -> Terms {
    Terms { max_message: body_window, body_window, ..Terms::default() }
}

#[test]
fn a_long_body_travels_both_ways() {
    let mut pair = Pair::new();
    let ticket = pair.client.call(&long(3 * MIB));
    pair.settle();
    let (key, body) = pair.server.request();
    assert!(body == long(3 * MIB));
    pair.server.session.reply(key, body.into());
    pair.settle();
    assert_eq!(
        pair.client.outcome(ticket),
        Some(Outcome::Reply(Bytes::from(long(3 * MIB)).into()))
    );
    let ticket = pair.client.call(b"");
    pair.settle();
    let (key, _) = pair.server.request();
    let detail = &long(100_000)[..];
    pair.server.session.fail(key, Failure { code: 1, handled: 2, text: "it", detail });
    pair.settle();
    let failed = pair.client.outcome(ticket);
    let Some(Outcome::Failed(failed)) = failed else { panic!("it is a failure") };
    assert!(failed.code == 1 && failed.detail == detail);
    assert!(pair.is_at_rest());
}

#[test]
fn only_the_first_piece_says_what_the_body_is() {
    let mut client = Pair::new().client;
    client.call(&long(600_000));
    let pieces = client.frames();
    let [first, second, last] = &pieces[..] else { panic!("three pieces") };
    assert_eq!((first.header.mtype, first.metadata.total), (0x41, Some(600_000)));
    assert_eq!(first.body.len(), 256 << 10);
    for piece in [second, last] {
        assert_eq!((piece.header.mtype, piece.header.metadata, piece.header.call), (0, 0, 1));
    }
    assert_eq!(
        pieces.iter().map(|piece| piece.header.more).collect::<Vec<_>>(),
        [true, true, false]
    );
}

#[test]
fn no_piece_is_longer_than_the_peer_takes() {
    let small = Terms { max_piece: 16 << 10, ..Terms::default() };
    let mut pair = Pair::with(Terms::default(), small);
    pair.client.call(&long(100_000));
    let bytes = pair.client.written();
    assert!(frames(&bytes).iter().all(|piece| piece.body.len() <= 16 << 10));
    pair.server.receive(&bytes).unwrap();
    assert!(pair.server.request().1 == long(100_000));
}

#[test]
fn pieces_take_turns_and_a_small_frame_waits_behind_two() {
    let mut client = Pair::new().client;
    let short = Terms::default().max_piece as usize;
    client.call(&long(MIB));
    client.call(&long(MIB));
    let mut bytes = client.write_once();
    assert!(bytes.len() < 2 * short + 100, "two pieces at a time");
    client.call(b"small");
    bytes.extend(client.write_once());
    bytes.extend(client.written());
    let ids: Vec<_> = frames(&bytes).iter().map(|frame| frame.header.call).collect();
    assert_eq!(ids, [1, 3, 5, 1, 3, 1, 3, 1, 3]);
}

#[test]
fn a_long_body_is_charged_whole_and_waits_its_turn() {
    let mut pair = Pair::with(Terms::default(), window(1_000_000));
    pair.client.call(&long(600_000));
    let second = pair.client.call(&long(500_000));
    pair.client.call(&long(100_000));
    pair.client.call(b"short ones go on");
    let bytes = pair.client.written();
    let firsts: Vec<_> = frames(&bytes).iter().map(|frame| frame.header.call).collect();
    assert_eq!(firsts, [7, 1, 1, 1], "nothing overtakes the second body");
    pair.client.abandon(second);
    assert_eq!(pair.client.frames()[0].header.call, 5);
    pair.server.receive(&bytes).unwrap();
    pair.server.request();
    let credit = Credit { kind: CreditKind::Body, amount: 600_000 };
    assert_eq!(pair.server.written(), Frame::new(Kind::Credit, 0, &credit.encode()).encode());
}

#[test]
fn short_bodies_are_not_charged() {
    let mut pair = Pair::with(Terms::default(), window(16 << 10));
    pair.client.call(&[0; SHORT_BODY]);
    pair.client.call(&[0; SHORT_BODY]);
    pair.settle();
    assert_eq!(pair.server.got.len(), 2);
}

#[test]
fn a_call_given_up_while_its_body_waits_for_the_window_is_not_sent() {
    let mut pair = Pair::with(Terms::default(), Terms { calls: 2, ..window(1_000_000) });
    pair.client.call(&long(600_000));
    let waits = pair.client.call(&long(600_000));
    pair.client.abandon(waits);
    assert!(pair.client.frames().iter().all(|frame| frame.header.call == 1));
    pair.client.call(b"its permit is free");
    assert_eq!(kinds(&pair.client.frames()), [Kind::Request]);
}

#[test]
fn a_call_given_up_amid_its_body_sends_no_more_of_it() {
    let mut pair = Pair::new();
    let memory = pair.server.house.memory;
    let ticket = pair.client.call(&long(MIB));
    let bytes = pair.client.write_once();
    pair.server.receive(&bytes).unwrap();
    assert!(pair.server.session.held() > 0 && pair.server.house.memory < memory);
    pair.client.abandon(ticket);
    let bytes = pair.client.written();
    assert_eq!(kinds(&frames(&bytes)), [Kind::Cancel]);
    pair.server.receive(&bytes).unwrap();
    assert_eq!((pair.server.session.held(), pair.server.house.memory), (0, memory));
    let bytes = pair.server.written();
    let answer = frames(&bytes);
    assert_eq!(answer[0].error(), (10, 0));
    assert_eq!(kinds(&answer), [Kind::Error, Kind::Credit]);
    pair.client.receive(&bytes).unwrap();
    assert!(pair.is_at_rest());
    assert_eq!(pair.client.session.bodies.window, 32 << 20);
}

#[test]
fn a_late_call_amid_its_body_was_certainly_not_handled() {
    let mut pair = Pair::new();
    let deadline = Some(pair.client.now + Duration::from_millis(10));
    let body = long(MIB);
    let ticket = pair.client.session.call(Outgoing { deadline, ..message(&body) }, pair.client.now);
    pair.client.write_once();
    pair.pass(10);
    assert_eq!(pair.client.outcome(ticket), Some(Outcome::Late { sent: false }));
    assert_eq!(kinds(&pair.client.frames()), [Kind::Cancel]);
}

#[test]
fn a_call_refused_amid_its_body_is_skipped_until_no_more_comes() {
    let mut pair = Pair::new();
    pair.server.house.max_len = 1000;
    let ticket = pair.client.call(&long(2 * MIB));
    let bytes = pair.client.write_once();
    pair.server.receive(&bytes).unwrap();
    assert_eq!(pair.server.refused(), 4);
    assert_eq!(pair.server.session.held(), 0, "nothing is kept");
    let more = pair.client.write_once();
    pair.server.receive(&more).unwrap();
    let bytes = pair.server.written();
    assert_eq!(kinds(&frames(&bytes)), [Kind::Error, Kind::Credit]);
    pair.client.receive(&bytes).unwrap();
    assert_eq!(failure(pair.client.outcome(ticket)), (4, 0));
    let bytes = pair.client.written();
    assert_eq!(kinds(&frames(&bytes)), [Kind::Cancel], "that says that no more pieces come");
    pair.server.receive(&bytes).unwrap();
    assert!(pair.is_at_rest());
}

#[test]
fn a_call_without_memory_for_its_body_is_overloaded() {
    let mut pair = Pair::new();
    pair.server.house.memory = 50_000;
    let ticket = pair.client.call(&long(100_000));
    let other = pair.client.notify(&long(50_001));
    pair.settle();
    assert_eq!(failure(pair.client.outcome(ticket)), (7, 0));
    assert_eq!(pair.client.outcome(other), Some(Outcome::Sent));
    assert_eq!([pair.server.refused(), pair.server.refused()], [7, 7]);
    assert!(pair.is_at_rest(), "credit and window are back");
    assert_eq!(pair.client.session.bodies.window, 32 << 20);
}

#[test]
fn memory_grows_with_what_has_come_and_not_with_what_is_announced() {
    let mut server = End::alone(Terms::default());
    server.get(&Frame::request(1, &[7]).of(16 << 20)).unwrap();
    assert!(server.session.held() <= (256 << 10) + 64, "{}", server.session.held());
    let mut come = 1;
    while come < 4 << 20 {
        server.get(&Frame::new(Kind::Request, 1, &[7; 100_000]).more()).unwrap();
        come += 100_000;
        assert!(server.session.held() <= 4 * come + (256 << 10) + 64);
    }
    let (memory, announced) = (server.house.memory, 16 << 20);
    server.input.end(&mut server.house);
    assert_eq!(server.house.memory, memory + announced, "what was reserved is given back");
}

#[test]
fn it_is_known_since_when_a_body_is_incomplete() {
    let mut server = End::alone(Terms::default());
    let begun = server.now;
    assert_eq!(server.input.unfinished_since(), None);
    server.get(&Frame::request(1, b"x").of(3)).unwrap();
    server.now += Duration::from_secs(5);
    server.get(&Frame::request(3, b"whole")).unwrap();
    server.get(&Frame::request(5, b"y").of(3)).unwrap();
    server.get(&Frame::request(7, b"refused").mtype(UNKNOWN).of(30)).unwrap();
    assert!(!server.input.is_mid_frame() && !server.input.is_empty());
    assert_eq!(server.input.unfinished_since(), Some(begun));
    server.get(&Frame::new(Kind::Request, 1, b"yz")).unwrap();
    assert_eq!(server.input.unfinished_since(), Some(server.now));
    server.get(&Frame::new(Kind::Request, 5, b"yz")).unwrap();
    assert_eq!(server.input.unfinished_since(), None);
}

#[test]
fn a_long_body_is_read_where_it_stays() {
    let mut server = End::alone(Terms::default());
    let frame = Frame::request(1, &long(200_000)).encode();
    server.receive(&frame[..20]).unwrap();
    server.receive(&frame[20..100_000]).unwrap();
    let buffer = server.input.buffer();
    assert!(buffer.get_ref().len() > 90_000, "that is the body itself");
    assert!(buffer.remaining_mut() <= 200_000 - 90_000, "and no byte of the next frame");
}

#[test]
fn an_answer_nobody_waits_for_is_not_kept() {
    let mut pair = Pair::new();
    let ticket = pair.client.call(b"");
    pair.settle();
    let (key, _) = pair.server.request();
    pair.server.reply(key, &long(MIB));
    let bytes = pair.server.write_once();
    pair.client.receive(&bytes).unwrap();
    assert!(pair.client.session.held() > 0);
    pair.client.abandon(ticket);
    pair.settle();
    assert!(pair.is_at_rest());
    assert_eq!(pair.server.session.bodies.window, 32 << 20);
}

#[test]
fn bodies_that_do_not_hold_what_they_say_end_the_connection() {
    let (some, more) = ([0; 100], Frame::new(Kind::Request, 1, &[0; 100]).more());
    let last = Frame::new(Kind::Request, 1, &[0; 100]);
    let first = || Frame::request(1, &some).of(250);
    let cases: &[&[Frame]] = &[
        &[Frame::request(1, &some).more()],
        &[Frame::request(1, &some).of(100)],
        &[Frame::request(1, &some).of(99)],
        &[Frame::request(1, b"").of(99)],
        &[first(), last.clone()],
        &[first(), more.clone(), more.clone()],
        &[first(), Frame::new(Kind::Request, 1, b"").more()],
        &[first(), more.clone().mtype(0x41)],
        &[first(), more.clone().deadline(5)],
        &[first(), Frame::new(Kind::Notify, 1, &some).more()],
        &[first(), first()],
    ];
    for case in cases {
        let mut server = End::alone(Terms::default());
        let end = case.iter().map(|frame| server.get(frame).map(drop)).find(Result::is_err);
        let violation = end.unwrap_or_else(|| panic!("{case:?} is taken")).unwrap_err();
        assert!(matches!(violation, Violation::Malformed(_) | Violation::OutOfPlace(_)));
    }
}

#[test]
fn a_peer_over_the_window_or_the_piece_is_cut_off() {
    let mut server = End::alone(window(100_000));
    server.get(&Frame::request(1, &[0; 100]).of(60_000)).unwrap();
    let second = Frame::request(3, &[0; 100]).of(60_000);
    assert!(matches!(server.get(&second), Err(Violation::TooMany(_))));
    let mut server = End::alone(Terms { max_piece: 20_000, ..Terms::default() });
    assert!(matches!(server.get(&Frame::request(1, &[0; 20_001])), Err(Violation::TooMany(_))));
    let mut client = Pair::with(window(100_000), Terms::default()).client;
    client.call(b"");
    client.written();
    let reply = Frame::new(Kind::Reply, 1, &[0; 100]).of(100_001);
    assert!(matches!(client.get(&reply), Err(Violation::TooMany(_))), "over its limit");
}

/// A server that owes two long replies to a client with room for one, and how it goes on by hand.
fn owing() -> Pair {
    let small = window(100_000);
    let mut pair = Pair::with(small, Terms::default());
    pair.client.call(b"");
    pair.client.call(b"");
    pair.settle();
    for _ in 0..2 {
        let (key, _) = pair.server.request();
        pair.server.reply(key, &long(80_000));
    }
    pair
}

fn wait(end: &mut End, ms: u64) -> Option<Overdue> {
    end.now += Duration::from_millis(ms);
    end.session.timed_out(end.now)
}

fn credit(amount: u32) -> Frame {
    Frame::new(Kind::Credit, 0, &Credit { kind: CreditKind::Body, amount }.encode())
}

#[test]
fn a_peer_that_gives_no_credit_for_a_reply_is_overdue() {
    let Pair { mut server, .. } = owing();
    let begun = server.now;
    server.written();
    assert_eq!(server.session.next_timeout(), Some(begun + TIMES.credit));
    assert_eq!(wait(&mut server, 9_999), None);
    assert!(server.session.output().is_empty(), "it is asked in vain");
    assert_eq!(wait(&mut server, 1), Some(Overdue::Credit));
    server.session.lost();
    assert_eq!(server.session.next_timeout(), None);
}

#[test]
fn a_peer_that_keeps_calling_owes_credit_all_the_same() {
    let Pair { mut server, .. } = owing();
    server.written();
    for id in (5..).step_by(2).take(9) {
        assert_eq!(wait(&mut server, 1_000), None);
        server.get(&Frame::request(id, b"")).unwrap();
        let (key, _) = server.request();
        server.reply(key, b"small");
        server.written();
    }
    assert_eq!(wait(&mut server, 1_000), Some(Overdue::Credit));
}

#[test]
fn any_credit_is_progress() {
    let Pair { mut server, .. } = owing();
    server.written();
    for _ in 0..5 {
        assert_eq!(wait(&mut server, 9_000), None);
        server.get(&credit(10_000)).unwrap();
        server.written();
    }
    assert_eq!(wait(&mut server, 9_000), None);
    server.get(&credit(30_000)).unwrap();
    assert_eq!(kinds(&server.frames()), [Kind::Reply]);
    assert_eq!(wait(&mut server, 60_000), None, "nothing waits any more");
}

#[test]
fn a_peer_that_is_slow_to_take_a_body_does_not_owe_credit_for_it() {
    let Pair { mut server, .. } = owing();
    // Written in part: it is about the stream and not about credit.
    for _ in 0..8 {
        assert_eq!(wait(&mut server, 9_000), None);
        server.session.output().advance(10_000);
    }
    assert_eq!(wait(&mut server, 9_000), None);
    server.written();
    assert_eq!(wait(&mut server, 9_999), None);
    assert_eq!(wait(&mut server, 1), Some(Overdue::Credit));
}

#[test]
fn a_call_that_waits_for_credit_ends_by_its_own_deadline() {
    let mut pair = Pair::with(Terms::default(), window(100_000));
    pair.client.call(&long(80_000));
    let deadline = Some(pair.client.now + Duration::from_secs(60));
    let body = long(80_000);
    let late = pair.client.session.call(Outgoing { deadline, ..message(&body) }, pair.client.now);
    pair.client.written();
    assert_eq!(wait(&mut pair.client, 59_999), None);
    assert_eq!(wait(&mut pair.client, 1), None);
    assert_eq!(pair.client.outcome(late), Some(Outcome::Late { sent: false }));
}
