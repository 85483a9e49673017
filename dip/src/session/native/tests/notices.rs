//! One-way messages and their credit.

use super::*;

fn window(notify_window: u32) -> Terms {
    Terms { notify_window, ..Terms::default() }
}

#[test]
fn a_one_way_message_is_sent_when_it_is_in_the_output() {
    let mut pair = Pair::new();
    let ticket = pair.client.notify(b"hi");
    assert_eq!(pair.client.outcome(ticket), Some(Outcome::Sent));
    assert_eq!(pair.client.events(), [], "it was there at once");
    pair.settle();
    let (receipt, body) = pair.server.notice();
    assert_eq!(body, "hi");
    assert!(!pair.server.session.is_idle(), "it is in hand");
    pair.server.session.notice_ended(receipt);
    pair.settle();
    assert!(pair.is_at_rest());
}

#[test]
fn credit_comes_back_when_handlers_have_ended_in_one_frame() {
    let mut pair = Pair::with(Terms::default(), window(3));
    for body in [b"0", b"1", b"2"] {
        pair.client.notify(body);
    }
    let waits = pair.client.notify(b"3");
    pair.settle();
    assert_eq!(pair.client.outcome(waits), None);
    let receipts: Vec<_> = (0..3).map(|_| pair.server.notice().0).collect();
    for receipt in receipts {
        pair.server.session.notice_ended(receipt);
    }
    let bytes = pair.server.written();
    let credit = Credit { kind: CreditKind::Notify, amount: 3 }.encode();
    assert_eq!(bytes, Frame::new(Kind::Credit, 0, &credit).encode());
    pair.client.receive(&bytes).unwrap();
    assert_eq!(pair.client.events(), [Event::Woken(waits)]);
    assert_eq!(pair.client.outcome(waits), Some(Outcome::Sent));
    pair.settle();
    assert_eq!(pair.server.notice().1, "3");
}

#[test]
fn a_message_costs_a_unit_and_one_for_each_kibibyte_but_never_more_than_the_window() {
    assert_eq!([0, 1, 1023, 1024, 10_240].map(|len| credit::units(len, 1024)), [1, 1, 1, 2, 11]);
    assert_eq!(credit::units(10_240, 5), 5);
    let mut pair = Pair::with(Terms::default(), window(5));
    let ticket = pair.client.notify(&[0; 10_240]);
    assert_eq!(pair.client.outcome(ticket), Some(Outcome::Sent));
    let waits = pair.client.notify(b"");
    assert_eq!(pair.client.outcome(waits), None);
    pair.settle();
    let (receipt, _) = pair.server.notice();
    pair.server.session.notice_ended(receipt);
    pair.settle();
    assert_eq!(pair.client.outcome(waits), Some(Outcome::Sent));
}

#[test]
fn a_message_that_waits_for_credit_until_its_deadline_was_not_sent() {
    let mut pair = Pair::with(Terms::default(), window(1));
    pair.client.notify(b"0");
    let deadline = Some(pair.client.now + Duration::from_millis(100));
    let out = Outgoing { deadline, ..message(b"late") };
    let late = pair.client.session.notify(out, pair.client.now);
    let next = pair.client.notify(b"next");
    pair.settle().pass(100);
    assert_eq!(pair.client.outcome(late), Some(Outcome::Late { sent: false }));
    let (receipt, _) = pair.server.notice();
    pair.server.session.notice_ended(receipt);
    pair.settle();
    assert_eq!(pair.client.outcome(next), Some(Outcome::Sent));
    assert_eq!(pair.server.notice().1, "next");
}

#[test]
fn messages_that_wait_keep_their_order_and_are_not_overtaken() {
    let mut pair = Pair::with(Terms::default(), window(2));
    for len in [1, 2000, 1, 2000, 3] {
        pair.client.notify(&vec![0; len]);
    }
    let mut lens = Vec::new();
    for _ in 0..5 {
        pair.settle();
        let (receipt, body) = pair.server.notice();
        lens.push(body.len());
        pair.server.session.notice_ended(receipt);
    }
    assert_eq!(lens, [1, 2000, 1, 2000, 3]);
}

#[test]
fn a_refused_message_is_dropped_and_its_credit_returned() {
    let mut server = End::alone(window(1));
    for _ in 0..3 {
        server.get(&Frame::notify(b"").mtype(UNKNOWN)).unwrap();
        assert_eq!(server.refused(), 2);
        assert_eq!(kinds(&server.frames()), [Kind::Credit]);
    }
    assert!(server.is_at_rest());
}

#[test]
fn a_peer_that_overdraws_its_credit_is_cut_off() {
    let mut server = End::alone(window(2));
    server.get(&Frame::notify(b"")).unwrap();
    server.get(&Frame::notify(b"")).unwrap();
    assert!(matches!(server.get(&Frame::notify(b"")), Err(Violation::TooMany(_))));
}

#[test]
fn one_that_may_be_skipped_is_sent_only_if_that_takes_no_waiting() {
    let mut pair = Pair::with(Terms::default(), Terms { body_window: 16 << 20, ..window(20_000) });
    let (now, session) = (pair.client.now, &mut pair.client.session);
    assert!(session.try_notify(message(b"short"), now));
    assert!(session.try_notify(message(&vec![0; 10 << 20]), now), "there is room");
    assert!(!session.try_notify(message(&vec![0; 10 << 20]), now), "not in the window");
    assert!(session.try_notify(message(b"credit is left"), now));
    while session.try_notify(message(&[0; 10_000]), now) {}
    assert!(!session.try_notify(message(&[0; 10_000]), now), "no credit");
    pair.settle();
    assert!(pair.server.got.len() > 10);
    assert!(pair.client.session.is_idle(), "nobody waits");
}

#[test]
fn a_long_message_travels_in_pieces_under_an_id_of_its_own() {
    let mut pair = Pair::new();
    let ticket = pair.client.notify(&long(700_000));
    assert_eq!(pair.client.outcome(ticket), None);
    let bytes = pair.client.written();
    let pieces = frames(&bytes);
    assert_eq!(pieces.iter().map(|piece| piece.header.call).collect::<Vec<_>>(), [1, 1, 1]);
    assert_eq!(pieces[0].metadata.total, Some(700_000));
    assert_eq!(pair.client.outcome(ticket), Some(Outcome::Sent));
    pair.server.receive(&bytes).unwrap();
    assert_eq!(pair.server.notice().1, long(700_000));
    let ticket = pair.client.notify(&long(20_000));
    assert_eq!(pair.client.frames()[0].header.call, 0, "one frame needs no id");
    assert_eq!(pair.client.outcome(ticket), Some(Outcome::Sent));
    assert!(pair.client.session.ids.is_unused());
}

#[test]
fn one_given_up_while_it_waits_is_not_sent_and_gives_its_credit_back() {
    let mut pair =
        Pair::with(Terms::default(), Terms { body_window: 16 << 20, ..Terms::default() });
    pair.client.call(&vec![0; 16 << 20]);
    let waits = pair.client.notify(&long(100_000));
    pair.client.abandon(waits);
    pair.settle();
    pair.server.request();
    assert!(pair.server.got.is_empty());
    assert_eq!(pair.client.session.notify_credit, 1024);
}

#[test]
fn one_whose_first_piece_is_out_is_sent_to_its_end() {
    let mut pair = Pair::new();
    let deadline = Some(pair.client.now + Duration::from_millis(100));
    let body = long(500_000);
    let out = Outgoing { deadline, ..message(&body) };
    let ticket = pair.client.session.notify(out, pair.client.now);
    let given_up = pair.client.notify(&body);
    let mut bytes = pair.client.write_once();
    pair.client.abandon(given_up);
    pair.pass(200);
    assert_eq!(pair.client.outcome(ticket), None);
    bytes.extend(pair.client.written());
    pair.server.receive(&bytes).unwrap();
    assert_eq!(pair.client.outcome(ticket), Some(Outcome::Sent));
    assert!(pair.server.notice().1 == body && pair.server.notice().1 == body);
}

#[test]
fn one_that_need_not_wait_is_sent_without_a_ticket_or_not_at_all() {
    let mut pair = Pair::with(Terms::default(), window(2));
    let mut at_once = |body: &[u8]| pair.client.session.notify_at_once(0x41, body);
    assert!(!at_once(&long(20_000)), "long bodies wait for their window");
    assert!(at_once(b"0") && at_once(b"1"));
    assert!(!at_once(b"2"), "no credit");
    assert!(pair.client.session.doubt().exists());
    pair.settle();
    for body in ["0", "1"] {
        let (receipt, came) = pair.server.notice();
        assert_eq!(came, body);
        pair.server.session.notice_ended(receipt);
    }
    pair.settle();
    assert!(pair.is_at_rest());
    pair.server.session.goaway(0, "");
    pair.settle();
    assert!(!pair.client.session.notify_at_once(0x41, b""), "the peer takes nothing");
}

#[test]
fn messages_that_are_over_are_given_back_together() {
    let mut server = End::alone(window(2));
    server.get(&Frame::notify(b"")).unwrap().get(&Frame::notify(b"")).unwrap();
    let mut over = Receipts::default();
    assert!(over.are_none());
    for _ in 0..2 {
        over.add(server.notice().0);
    }
    assert!(!over.are_none() && !server.session.is_idle());
    server.session.notices_ended(over);
    let credit = Credit { kind: CreditKind::Notify, amount: 2 }.encode();
    assert_eq!(server.written(), Frame::new(Kind::Credit, 0, &credit).encode());
    assert!(server.is_at_rest());
}

#[test]
fn the_deadline_of_a_message_is_for_its_credit_and_does_not_travel() {
    let mut pair = Pair::new();
    let deadline = Some(pair.client.now + Duration::from_millis(100));
    let out = Outgoing { deadline, ..message(b"") };
    pair.client.session.notify(out, pair.client.now);
    assert_eq!(pair.client.frames(), [Frame::notify(b"")]);
}

#[test]
fn a_deadline_that_a_peer_sends_with_a_message_says_nothing() {
    let mut server = End::alone(Terms::default());
    server.get(&Frame::notify(b"late").deadline(70)).unwrap();
    server.now += Duration::from_millis(80);
    assert_eq!(server.notice().1, &b"late"[..]);
}
