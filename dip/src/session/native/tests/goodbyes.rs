//! How connections end.

use super::*;

#[test]
fn a_call_after_our_goodbye_is_answered_and_what_is_in_hand_goes_on() {
    let mut pair = Pair::new();
    let before = pair.client.call(b"before");
    pair.settle();
    pair.server.session.goaway(8, "we close");
    let crossing = pair.client.call(b"crossing");
    pair.settle();
    let goodbye = Event::Goodbye { reason: 8, text: "we close".into() };
    assert!(pair.client.events().contains(&goodbye) && pair.client.session.has_said_goodbye());
    let failed = pair.client.outcome(crossing);
    assert_eq!(failure(failed), (8, 0));
    let (key, _) = pair.server.request();
    pair.server.reply(key, b"still answered");
    pair.settle();
    assert_eq!(pair.client.outcome(before), reply(b"still answered"));
}

#[test]
fn a_one_way_message_that_crosses_a_goodbye_is_not_lost() {
    let mut pair = Pair::new();
    pair.server.session.goaway(0, "");
    pair.client.notify(b"crossing");
    pair.settle();
    assert_eq!(pair.server.notice().1, "crossing");
}

#[test]
fn nothing_new_is_sent_after_their_goodbye() {
    let few = Terms { calls: 1, notify_window: 1, body_window: 16 << 20, ..Terms::default() };
    let mut pair = Pair::with(Terms::default(), few);
    let begun = pair.client.call(&long(1_000_000));
    let queued = pair.client.call(b"queued");
    pair.client.notify(b"");
    let unpaid = pair.client.notify(b"unpaid");
    let bytes = pair.client.write_once();
    pair.server.receive(&bytes).unwrap();
    pair.server.session.goaway(0, "");
    pair.settle();
    let refused = Some(Outcome::Refused(Refused::ShuttingDown));
    assert_eq!(pair.client.outcome(queued), refused);
    assert_eq!(pair.client.outcome(unpaid), refused);
    let ticket = pair.client.call(b"new");
    assert_eq!(pair.client.outcome(ticket), refused);
    assert!(!pair.client.session.try_notify(message(b""), pair.client.now));
    pair.server.notice();
    let (key, body) = pair.server.request();
    assert!(body == long(1_000_000), "what was begun goes on");
    pair.server.reply(key, b"");
    pair.settle();
    assert_eq!(pair.client.outcome(begun), reply(b""));
}

#[test]
fn the_text_of_a_goodbye_is_cut() {
    let mut pair = Pair::new();
    pair.server.session.goaway(0, &"ä".repeat(1000));
    pair.settle();
    let Some(Event::Goodbye { text, .. }) = pair.client.session.poll_event() else {
        panic!("a goodbye")
    };
    assert_eq!(text.len(), 1024);
}

#[test]
fn what_was_sent_may_have_run_when_the_connection_is_lost() {
    let few = Terms { calls: 2, ..Terms::default() };
    let mut pair = Pair::with(Terms::default(), few);
    let sent = pair.client.call(b"sent");
    let begun = pair.client.call(&long(1_000_000));
    let queued = pair.client.call(b"queued");
    pair.client.write_once();
    pair.client.session.lost();
    assert_eq!(pair.client.outcome(sent), Some(Outcome::Lost { sent: true }));
    assert_eq!(pair.client.outcome(begun), Some(Outcome::Lost { sent: false }), "only in part");
    assert_eq!(pair.client.outcome(queued), Some(Outcome::Lost { sent: false }));
    let ticket = pair.client.call(b"after");
    assert_eq!(pair.client.outcome(ticket), Some(Outcome::Lost { sent: false }));
    let ticket = pair.client.session.flush(None, pair.client.now);
    assert_eq!(pair.client.outcome(ticket), Some(Outcome::Flushed), "each call has told its fate");
    assert!(pair.client.session.is_idle() && pair.client.written().is_empty());
    assert_eq!(pair.client.session.next_timeout(), None);
}

#[test]
fn what_is_unanswered_when_a_peer_dies_that_only_drained_may_have_run() {
    let mut pair = Pair::new();
    let ticket = pair.client.call(b"");
    pair.settle();
    pair.server.session.goaway(8, "the server stops");
    let bytes = pair.server.written();
    pair.client.receive(&bytes).unwrap();
    pair.client.session.lost();
    assert_eq!(pair.client.outcome(ticket), Some(Outcome::Lost { sent: true }));
}

#[test]
fn what_is_unanswered_after_the_last_word_was_not_handled() {
    let mut pair = Pair::new();
    let ticket = pair.client.call(b"");
    pair.settle();
    pair.server.session.goaway(0, "");
    let bytes = pair.server.written();
    pair.client.receive(&bytes).unwrap();
    pair.client.session.lost();
    assert_eq!(pair.client.outcome(ticket), Some(Outcome::Lost { sent: false }));
}

#[test]
fn handlers_of_calls_are_stopped_when_the_connection_is_lost_those_of_notices_are_not() {
    let mut pair = Pair::new();
    pair.client.call(b"");
    pair.client.notify(b"");
    pair.settle();
    let (key, _) = pair.server.request();
    let (receipt, _) = pair.server.notice();
    pair.server.session.lost();
    pair.server.session.lost();
    assert_eq!(pair.server.events(), [Event::Stop(key, Why::Lost)]);
    assert!(!pair.server.session.is_idle(), "both are in hand");
    pair.server.reply(key, b"nobody hears that");
    pair.server.session.notice_ended(receipt);
    assert!(pair.server.session.is_idle() && pair.server.written().is_empty());
}

#[test]
fn a_stream_that_ends_within_a_body_leaves_no_memory_behind() {
    let mut pair = Pair::new();
    let memory = pair.server.house.memory;
    pair.client.call(&long(1_000_000));
    let bytes = pair.client.write_once();
    pair.server.receive(&bytes[..100_000]).unwrap();
    assert!(pair.server.input.is_mid_frame() && pair.server.house.memory < memory);
    pair.server.session.lost();
    pair.server.input.end(&mut pair.server.house);
    assert_eq!(pair.server.house.memory, memory);
    assert!(pair.server.session.is_idle() && pair.server.input.is_empty());
}
