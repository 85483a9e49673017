//! Flushes.

use super::*;

fn flush(end: &mut End) -> Ticket {
    end.session.flush(None, end.now)
}

#[test]
fn a_flush_ends_when_the_peer_has_dispatched_what_was_before_it() {
    let mut pair = Pair::new();
    pair.client.notify(b"before");
    let ticket = flush(&mut pair.client);
    let bytes = pair.client.written();
    assert_eq!(kinds(&frames(&bytes)), [Kind::Notify, Kind::Ping]);
    assert_eq!(pair.client.outcome(ticket), None);
    pair.server.receive(&bytes).unwrap();
    assert_eq!(pair.server.notice().1, "before");
    pair.settle();
    assert_eq!(pair.client.events(), [Event::Woken(ticket)]);
    assert_eq!(pair.client.outcome(ticket), Some(Outcome::Flushed));
}

#[test]
fn a_flush_waits_for_messages_that_wait_but_not_for_those_behind_it() {
    let few = Terms { notify_window: 1, calls: 1, ..Terms::default() };
    let mut pair = Pair::with(Terms::default(), few);
    pair.client.notify(b"0");
    pair.client.notify(b"waits for credit");
    pair.client.call(b"1");
    pair.client.call(b"waits for a permit");
    let ticket = flush(&mut pair.client);
    let behind = pair.client.call(b"behind");
    pair.settle();
    let (receipt, _) = pair.server.notice();
    pair.server.session.notice_ended(receipt);
    pair.settle();
    let (key, _) = pair.server.request();
    assert_eq!(pair.client.outcome(ticket), None);
    pair.server.reply(key, b"");
    pair.settle();
    assert_eq!(pair.client.outcome(ticket), Some(Outcome::Flushed));
    assert_eq!(pair.client.outcome(behind), None);
    assert_eq!(pair.server.got.len(), 2, "all but the last");
}

#[test]
fn a_flush_waits_for_the_last_piece() {
    let mut pair = Pair::new();
    pair.client.notify(&long(600_000));
    flush(&mut pair.client);
    let kinds = kinds(&pair.client.frames());
    assert_eq!(kinds, [Kind::Notify, Kind::Notify, Kind::Notify, Kind::Ping]);
}

#[test]
fn a_flush_with_nothing_before_it_asks_nothing() {
    let mut pair = Pair::new();
    let ticket = flush(&mut pair.client);
    assert_eq!(pair.client.outcome(ticket), Some(Outcome::Flushed));
    pair.client.notify(b"");
    let first = flush(&mut pair.client);
    let bytes = pair.client.written();
    let second = flush(&mut pair.client);
    assert!(pair.client.written().is_empty(), "one ping will do for both");
    pair.server.receive(&bytes).unwrap();
    pair.settle();
    assert_eq!(pair.client.outcome(first), Some(Outcome::Flushed));
    assert_eq!(pair.client.outcome(second), Some(Outcome::Flushed));
}

#[test]
fn flushing_after_every_message_is_no_flood() {
    let mut pair = Pair::new();
    for _ in 0..1000 {
        pair.client.notify(b"");
        let tickets = [flush(&mut pair.client), flush(&mut pair.client)];
        pair.settle();
        let (receipt, _) = pair.server.notice();
        pair.server.session.notice_ended(receipt);
        for ticket in tickets {
            assert_eq!(pair.client.outcome(ticket), Some(Outcome::Flushed));
        }
    }
}

#[test]
fn a_flush_behind_a_message_that_is_given_up_needs_no_ping() {
    let mut pair = Pair::with(Terms::default(), Terms { calls: 0, ..Terms::default() });
    let call = pair.client.call(b"never sent");
    let ticket = flush(&mut pair.client);
    assert!(pair.client.written().is_empty());
    pair.client.abandon(call);
    assert!(pair.client.written().is_empty());
    assert_eq!(pair.client.outcome(ticket), Some(Outcome::Flushed));
}

#[test]
fn a_flush_may_be_late_or_given_up() {
    let mut pair = Pair::new();
    pair.client.notify(b"");
    let deadline = Some(pair.client.now + Duration::from_millis(100));
    let late = pair.client.session.flush(deadline, pair.client.now);
    let given_up = flush(&mut pair.client);
    let bytes = pair.client.written();
    pair.client.abandon(given_up);
    pair.pass(100);
    assert!(matches!(pair.client.outcome(late), Some(Outcome::Late { .. })));
    pair.server.receive(&bytes).unwrap();
    pair.settle();
    assert_eq!(pair.client.events(), []);
}

#[test]
fn a_pong_to_no_ping_ends_the_connection() {
    let mut server = End::alone(Terms::default());
    let result = server.get(&Frame::new(Kind::Pong, 0, &[0; 8])).map(drop);
    assert!(matches!(result, Err(Violation::OutOfPlace(_))));
}

#[test]
fn a_loss_is_told_once_of_one_way_messages_that_were_not_confirmed() {
    let lost = Some(Outcome::Lost { sent: true });
    for body in [&b"short"[..], &long(100_000)] {
        let mut pair = Pair::new();
        let ticket = pair.client.notify(body);
        pair.settle();
        assert_eq!(pair.client.outcome(ticket), Some(Outcome::Sent));
        pair.client.session.lost();
        let tickets = [flush(&mut pair.client), flush(&mut pair.client)];
        let told = tickets.map(|ticket| pair.client.outcome(ticket));
        assert_eq!(told, [lost.clone(), Some(Outcome::Flushed)]);
    }
    let mut pair = Pair::new();
    pair.client.notify(b"");
    let tickets = [flush(&mut pair.client), flush(&mut pair.client)];
    pair.client.written();
    pair.client.session.lost();
    let after = flush(&mut pair.client);
    let told = tickets.map(|ticket| pair.client.outcome(ticket));
    assert_eq!(told, [lost.clone(), lost], "both waited for the same message");
    assert_eq!(pair.client.outcome(after), Some(Outcome::Flushed));
}

#[test]
fn a_loss_that_was_told_to_nobody_is_told_to_the_next() {
    let mut pair = Pair::new();
    pair.client.notify(b"");
    let dropped = flush(&mut pair.client);
    pair.client.session.lost();
    pair.client.abandon(dropped);
    let next = flush(&mut pair.client);
    assert_eq!(pair.client.outcome(next), Some(Outcome::Lost { sent: true }));
}

#[test]
fn a_pong_takes_the_doubt_about_what_was_before_it() {
    let mut pair = Pair::new();
    pair.client.notify(b"before");
    flush(&mut pair.client);
    pair.settle();
    assert!(!pair.client.session.doubt().exists());
    pair.client.call(b"answered");
    pair.settle();
    let (key, _) = {
        pair.server.notice();
        pair.server.request()
    };
    pair.server.reply(key, b"");
    pair.settle();
    let under_way = flush(&mut pair.client);
    pair.client.written();
    pair.client.session.lost();
    assert_eq!(pair.client.outcome(under_way), Some(Outcome::Flushed), "nothing was in doubt");
    let mut pair = Pair::new();
    flush(&mut pair.client);
    pair.client.notify(b"before the ping, behind the flush");
    pair.settle();
    pair.client.notify(b"behind");
    assert!(pair.client.session.doubt().exists());
}

#[test]
fn what_was_never_sent_leaves_no_doubt() {
    let few = Terms { notify_window: 1, ..Terms::default() };
    let mut pair = Pair::with(Terms::default(), few);
    pair.client.notify(b"");
    flush(&mut pair.client);
    pair.settle();
    let queued = pair.client.notify(b"without credit");
    let begun = flush(&mut pair.client);
    pair.client.session.lost();
    assert_eq!(pair.client.outcome(queued), Some(Outcome::Lost { sent: false }));
    assert_eq!(pair.client.outcome(begun), Some(Outcome::Lost { sent: false }));
    let after = flush(&mut pair.client);
    assert_eq!(pair.client.outcome(after), Some(Outcome::Flushed));
}
