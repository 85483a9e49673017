//! Calls of both sides.

use super::*;

#[test]
fn both_sides_call_and_are_answered() {
    let mut pair = Pair::new();
    let there = pair.client.call(b"there");
    let back = pair.server.call(b"back");
    pair.settle();
    let (key, body) = pair.server.request();
    assert_eq!(&body[..], b"there");
    pair.server.reply(key, b"yes");
    let (key, body) = pair.client.request();
    assert_eq!(&body[..], b"back");
    let no = Failure { code: 15, handled: 2, text: "no", detail: b"why" };
    pair.client.session.fail(key, no);
    pair.settle();
    assert_eq!(pair.client.events(), [Event::Woken(there)]);
    assert_eq!(pair.client.outcome(there), reply(b"yes"));
    assert_eq!(pair.client.outcome(there), None, "it was taken");
    let failed = Failed { code: 15, handled: 2, text: "no".into(), detail: "why".into() };
    assert_eq!(pair.server.outcome(back), Some(Outcome::Failed(Box::new(failed))));
    assert!(pair.is_at_rest());
}

#[test]
fn the_worked_example_goes_out_as_it_stands_in_the_specification() {
    let mut pair = Pair::new();
    let deadline = Some(pair.client.now + Duration::from_secs(2));
    pair.client.session.call(Outgoing { deadline, ..message(&[2, 4]) }, pair.client.now);
    let golden = [1, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0x41, 0, 0, 0, 2, 3, 0, 4, 0, 0, 7, 0xd0, 2, 4];
    assert_eq!(pair.client.written(), golden);
}

#[test]
fn answers_find_their_calls_in_any_order() {
    let mut pair = Pair::new();
    let tickets = [b"0", b"1", b"2"].map(|body| pair.client.call(body));
    pair.settle();
    let mut keys: Vec<_> = (0..3).map(|_| pair.server.request()).collect();
    keys.rotate_left(1);
    for (key, body) in keys {
        pair.server.reply(key, &body);
    }
    pair.settle();
    for (ticket, body) in tickets.into_iter().zip([b"0", b"1", b"2"]) {
        assert_eq!(pair.client.outcome(ticket), reply(body));
    }
}

#[test]
fn a_frame_is_put_together_however_it_is_cut() {
    let bytes =
        [Frame::request(1, b"one"), Frame::notify(b"two"), Frame::request(3, &long(20_000))];
    let bytes = bytes.map(|frame| frame.encode()).concat();
    for cut in (0..100).chain([bytes.len() - 1, bytes.len()]) {
        let mut server = End::alone(Terms::default());
        server.receive(&bytes[..cut]).unwrap();
        let is_whole = [0, 19, 38, bytes.len()].contains(&cut);
        assert_eq!(server.input.is_mid_frame(), !is_whole, "cut at {cut}");
        server.receive(&bytes[cut..]).unwrap();
        assert_eq!(server.request().1, "one");
        assert_eq!(server.notice().1, "two");
        assert_eq!(server.request().1, long(20_000));
    }
}

#[test]
fn bytes_that_came_with_the_handshake_are_not_lost() {
    let mut server = End::alone(Terms::default());
    let bytes = Frame::request(1, b"early").encode();
    server.input.feed(&bytes[..9]);
    server.receive(&bytes[9..]).unwrap();
    assert_eq!(server.request().1, "early");
}

#[test]
fn a_call_beyond_the_permits_waits_for_one() {
    let mut pair = Pair::with(Terms::default(), Terms { calls: 2, ..Terms::default() });
    let tickets = [b"0", b"1", b"2", b"3"].map(|body| pair.client.call(body));
    pair.settle();
    assert_eq!(pair.server.got.len(), 2);
    let (key, _) = pair.server.request();
    pair.server.reply(key, b"");
    pair.settle();
    assert_eq!(pair.client.events(), [Event::Woken(tickets[0])]);
    let bodies: Vec<_> = (0..2).map(|_| pair.server.request().1).collect();
    assert_eq!(bodies, ["1", "2"], "in the order of the calls");
}

#[test]
fn a_cancelled_call_keeps_its_permit_until_the_callee_has_ended_it() {
    let mut pair = Pair::with(Terms::default(), Terms { calls: 1, ..Terms::default() });
    let first = pair.client.call(b"first");
    pair.settle();
    let (key, _) = pair.server.request();
    pair.client.abandon(first);
    let second = pair.client.call(b"second");
    pair.settle();
    assert_eq!(pair.server.events(), [Event::Stop(key, Why::Cancelled)]);
    assert!(pair.server.got.is_empty() && pair.server.session.is_live(key));
    let cancelled = Failure { code: 10, handled: 1, text: "", detail: &[] };
    pair.server.session.fail(key, cancelled);
    pair.settle();
    let (key, body) = pair.server.request();
    assert_eq!(body, "second");
    pair.server.reply(key, b"ok");
    pair.settle();
    assert_eq!(pair.client.outcome(second), reply(b"ok"));
    assert!(pair.is_at_rest());
}

#[test]
fn a_call_given_up_before_it_is_sent_leaves_no_trace() {
    let mut pair = Pair::with(Terms::default(), Terms { calls: 1, ..Terms::default() });
    pair.client.call(b"first");
    let waits = pair.client.call(b"waits");
    pair.client.abandon(waits);
    pair.settle();
    let (key, _) = pair.server.request();
    pair.server.reply(key, b"");
    pair.settle();
    assert!(pair.server.got.is_empty() && pair.server.events().is_empty());
}

#[test]
fn a_reply_that_crosses_a_cancel_is_thrown_away() {
    let mut pair = Pair::new();
    let ticket = pair.client.call(b"");
    pair.settle();
    let (key, _) = pair.server.request();
    pair.server.reply(key, b"too late");
    pair.client.abandon(ticket);
    pair.settle();
    assert_eq!((pair.client.events(), pair.server.events()), (vec![], vec![]));
    assert_eq!(pair.client.outcome(ticket), None);
    assert!(pair.is_at_rest());
}

#[test]
fn what_was_seen_to_is_not_told() {
    let mut pair = Pair::new();
    let ticket = pair.client.call(b"");
    pair.settle();
    let (key, _) = pair.server.request();
    let cancel = Frame::new(Kind::Cancel, 1, &[]);
    pair.server.get(&cancel).unwrap();
    pair.server.reply(key, b"");
    assert_eq!(pair.server.events(), [], "the handler has ended");
    pair.settle();
    pair.client.abandon(ticket);
    assert_eq!(pair.client.events(), [], "nobody waits");
}

#[test]
fn a_ticket_of_old_is_not_taken_for_a_new_one() {
    let mut pair = Pair::new();
    let old = pair.client.call(b"");
    pair.client.abandon(old);
    pair.settle();
    let (key, _) = pair.server.request();
    pair.server.reply(key, b"");
    pair.settle();
    let new = pair.client.call(b"");
    assert_eq!((new.slot(), new == old), (old.slot(), false));
    pair.client.abandon(old);
    pair.settle();
    assert!(pair.server.events().is_empty(), "the new call goes on");
}

#[test]
fn what_is_not_in_hand_cannot_be_answered_again() {
    let mut pair = Pair::new();
    pair.client.call(b"");
    pair.settle();
    let (key, _) = pair.server.request();
    pair.server.reply(key, b"once");
    pair.server.reply(key, b"twice");
    pair.server.session.fail(key, Failure { code: 15, handled: 2, text: "", detail: &[] });
    assert_eq!(kinds(&pair.server.frames()), [Kind::Reply]);
}

#[test]
fn a_reply_over_the_limit_of_the_caller_is_an_error_that_names_both() {
    let small = Terms { max_message: 100, ..Terms::default() };
    let mut pair = Pair::with(small, Terms::default());
    let ticket = pair.client.call(b"");
    pair.settle();
    let (key, _) = pair.server.request();
    pair.server.reply(key, &[0; 101]);
    pair.settle();
    let Some(Outcome::Failed(failed)) = pair.client.outcome(ticket) else {
        panic!("it is a failure")
    };
    let Failed { code, handled, text, .. } = *failed;
    assert_eq!((code, handled), (16, 2));
    assert!(text.contains("101") && text.contains("100"), "{text}");
}

#[test]
fn replies_that_are_framed_go_to_their_calls_and_no_others() {
    let small = Terms { max_message: 100, calls: 5, ..Terms::default() };
    let mut pair = Pair::with(small, small);
    for _ in 0..3 {
        let tickets: Vec<Ticket> = (0..5).map(|_| pair.client.call(b"")).collect();
        pair.settle();
        let mut framed = Vec::new();
        let replies: Vec<_> = (0..5_u8)
            .map(|number| {
                let (key, _) = pair.server.request();
                let body = vec![number; if number == 2 { 101 } else { 10 + usize::from(number) }];
                let from = framed.len();
                framed.extend_from_slice(&frame_of(key, body.len()).unwrap());
                framed.extend_from_slice(&body);
                (key, from..framed.len())
            })
            .collect();
        pair.server.reply(replies[1].0, b"before");
        pair.server.session.reply_all(&framed, replies.into_iter());
        pair.settle();
        let mut outcomes: Vec<_> =
            tickets.into_iter().map(|ticket| pair.client.outcome(ticket)).collect();
        assert_eq!(failure(outcomes.remove(2)), (16, 2));
        let [first, third, fourth] = [&[0; 10][..], &[3; 13], &[4; 14]];
        assert_eq!(outcomes, [reply(first), reply(b"before"), reply(third), reply(fourth)]);
        assert!(pair.is_at_rest());
    }
}

#[test]
fn a_long_reply_has_no_frame_of_its_own() {
    let mut pair = Pair::new();
    pair.client.call(b"");
    pair.settle();
    let (key, _) = pair.server.request();
    assert!(frame_of(key, SHORT_BODY).is_some() && frame_of(key, SHORT_BODY + 1).is_none());
}

#[test]
fn an_error_of_ordinary_length_is_taken_whatever_the_limit() {
    let small = Terms { max_message: 10, ..Terms::default() };
    let mut pair = Pair::with(small, Terms::default());
    let ticket = pair.client.call(b"");
    pair.settle();
    let (key, _) = pair.server.request();
    let text = "x".repeat(1000);
    pair.server.session.fail(key, Failure { code: 15, handled: 2, text: &text, detail: &[] });
    pair.settle();
    assert_eq!(failure(pair.client.outcome(ticket)), (16, 2));
}

#[test]
fn a_message_over_the_limit_of_the_peer_is_refused_here() {
    let mut pair = Pair::with(Terms::default(), Terms { max_message: 100, ..Terms::default() });
    let refused =
        Some(Outcome::Refused(Refused::TooLarge(Box::new(Oversize { size: 101, limit: 100 }))));
    let ticket = pair.client.call(&[0; 101]);
    assert_eq!(pair.client.outcome(ticket), refused);
    let ticket = pair.client.notify(&[0; 101]);
    assert_eq!(pair.client.outcome(ticket), refused);
    assert!(pair.client.written().is_empty() && pair.client.session.is_idle());
}

#[test]
fn a_call_that_is_not_taken_in_is_answered_and_not_handled() {
    let mut server = End::alone(Terms { max_message: 100, ..Terms::default() });
    server.house.max_len = 50;
    let unknown_tag = [0x01, 0, 0, 3, 0, 0, 0, 7, 0, 0, 0, 0x41, 0, 0, 0, 0, 0x90, 0, 0];
    server.get(&Frame::request(1, b"").mtype(UNKNOWN)).unwrap();
    server.get(&Frame::request(3, &[0; 51])).unwrap();
    server.receive(&unknown_tag).unwrap();
    server.get(&Frame::request(9, b"fine")).unwrap();
    let frames = server.frames();
    let errors: Vec<_> = frames.iter().map(|frame| (frame.header.call, frame.error())).collect();
    assert_eq!(errors, [(1, (2, 0)), (3, (4, 0)), (7, (17, 0))]);
    let text = String::from_utf8_lossy(&frames[1].body);
    assert!(text.contains("51") && text.contains("50"), "{text}");
    assert_eq!([(); 3].map(|()| server.refused()), [2, 4, 17]);
    assert_eq!(server.request().1, "fine");
}

#[test]
fn a_passive_side_takes_nothing() {
    let passive = Terms { passive: true, ..Terms::default() };
    let mut pair = Pair::with(passive, Terms::default());
    let refused = Some(Outcome::Refused(Refused::Passive));
    let ticket = pair.server.call(b"");
    assert_eq!(pair.server.outcome(ticket), refused);
    let ticket = pair.server.notify(b"");
    assert_eq!(pair.server.outcome(ticket), refused);
    let ticket = pair.server.session.flush(None, pair.server.now);
    assert_eq!(pair.server.outcome(ticket), refused);
    for frame in [Frame::request(2, b""), Frame::notify(b""), Frame::new(Kind::Ping, 0, &[0; 8])] {
        let mut client = Pair::with(passive, Terms::default()).client;
        assert!(matches!(client.get(&frame), Err(Violation::OutOfPlace(_))), "{frame:?}");
    }
    let ticket = pair.client.call(b"");
    pair.settle();
    let (key, _) = pair.server.request();
    pair.server.reply(key, b"yes");
    pair.settle();
    assert_eq!(pair.client.outcome(ticket), reply(b"yes"), "it may call");
}

#[test]
fn a_call_does_not_overtake_those_that_wait_for_room_in_the_output() {
    let mut pair = Pair::with(Terms::default(), Terms { calls: 1000, ..Terms::default() });
    for _ in 0..80 {
        pair.client.call(&[0; 16_000]);
    }
    let output = std::mem::take(&mut pair.client.session.output);
    pair.client.call(b"last");
    assert_eq!(pair.client.session.output.len(), 0);
    drop(output);
    let last = pair.client.frames().pop();
    assert_eq!(last.map(|frame| frame.body), Some(b"last".to_vec()));
}

#[test]
fn a_full_output_holds_calls_and_replies_back() {
    let mut pair = Pair::with(Terms::default(), Terms { calls: 1000, ..Terms::default() });
    for _ in 0..200 {
        pair.client.call(&[0; 16_000]);
    }
    assert!(pair.client.session.output.len() <= LONG_OUTPUT + SHORT_BODY + 100);
    pair.settle();
    assert_eq!(pair.server.got.len(), 200);
    for _ in 0..200 {
        let (key, _) = pair.server.request();
        pair.server.reply(key, &[0; 16_000]);
    }
    assert!(pair.server.session.output.len() <= LONG_OUTPUT + SHORT_BODY + 100);
    pair.settle();
    assert_eq!(pair.client.events().len(), 200);
}
