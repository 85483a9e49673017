//! Deadlines of both sides.

use super::*;

fn call_until(end: &mut End, ms: u64) -> Ticket {
    let deadline = Some(end.now + Duration::from_micros(ms * 1000));
    end.session.call(Outgoing { deadline, ..message(b"") }, end.now)
}

#[test]
fn what_is_left_travels_in_milliseconds_rounded_up() {
    let mut client = Pair::new().client;
    for (micros, ms) in [(1, 1), (999, 1), (1000, 1), (1001, 2), (2_000_000, 2000)] {
        let deadline = Some(client.now + Duration::from_micros(micros));
        client.session.call(Outgoing { deadline, ..message(b"") }, client.now);
        assert_eq!(client.frames()[0].metadata.deadline, Some(ms), "{micros} µs");
    }
}

#[test]
fn a_call_that_has_waited_tells_what_is_left_when_it_leaves() {
    let mut pair = Pair::with(Terms::default(), Terms { calls: 1, ..Terms::default() });
    pair.client.call(b"first");
    call_until(&mut pair.client, 1000);
    pair.settle();
    let (key, _) = pair.server.request();
    pair.pass(400);
    pair.server.reply(key, b"");
    let bytes = pair.server.written();
    pair.client.receive(&bytes).unwrap();
    assert_eq!(pair.client.frames()[0].metadata.deadline, Some(600));
}

#[test]
fn a_late_call_is_cancelled_and_may_have_run() {
    let mut pair = Pair::new();
    let ticket = call_until(&mut pair.client, 100);
    pair.settle();
    let (key, _) = pair.server.request();
    pair.client.now += Duration::from_millis(99);
    pair.client.session.timed_out(pair.client.now);
    assert_eq!(pair.client.outcome(ticket), None);
    pair.client.now += Duration::from_millis(1);
    pair.client.session.timed_out(pair.client.now);
    assert_eq!(pair.client.events(), [Event::Woken(ticket)]);
    assert_eq!(pair.client.outcome(ticket), Some(Outcome::Late { sent: true }));
    pair.settle();
    assert_eq!(pair.server.events(), [Event::Stop(key, Why::Cancelled)]);
    assert!(!pair.client.session.is_idle(), "the callee has not ended it");
    pair.server.session.fail(key, Failure { code: 10, handled: 1, text: "", detail: &[] });
    pair.settle();
    assert!(pair.is_at_rest() && pair.client.events().is_empty());
}

#[test]
fn a_call_that_waits_for_a_permit_is_late_and_not_sent() {
    let mut pair = Pair::with(Terms::default(), Terms { calls: 1, ..Terms::default() });
    pair.client.call(b"");
    let ticket = call_until(&mut pair.client, 100);
    pair.settle().pass(100);
    assert_eq!(pair.client.outcome(ticket), Some(Outcome::Late { sent: false }));
    assert!(pair.client.written().is_empty(), "there is nothing to cancel");
}

#[test]
fn a_deadline_that_is_over_sends_nothing() {
    let mut client = Pair::new().client;
    let ticket = call_until(&mut client, 0);
    assert_eq!(client.outcome(ticket), Some(Outcome::Late { sent: false }));
    assert!(client.written().is_empty());
}

#[test]
fn a_handler_is_stopped_at_the_deadline_of_its_caller_or_at_the_cap_and_once() {
    let mut server = End::alone(Terms::default());
    server.get(&Frame::request(1, b"").deadline(100)).unwrap();
    server.get(&Frame::request(3, b"").deadline(3_600_000)).unwrap();
    server.get(&Frame::request(5, b"")).unwrap();
    let got: Vec<_> = std::mem::take(&mut server.got).into();
    let [Got::Request { key: short, deadline, .. }, Got::Request { deadline: long, .. }, _] =
        got[..]
    else {
        panic!("three requests")
    };
    assert_eq!(deadline - server.now, Duration::from_millis(100));
    assert_eq!(long - server.now, Duration::from_secs(45), "the cap");
    server.now = deadline;
    server.session.timed_out(server.now);
    server.session.timed_out(server.now);
    assert_eq!(server.events(), [Event::Stop(short, Why::Deadline)]);
    assert!(server.frames().is_empty(), "the driver says how it ended");
    server.get(&Frame::new(Kind::Cancel, 1, &[])).unwrap();
    assert_eq!(server.events(), [], "it was stopped");
    assert_eq!(server.session.next_timeout(), Some(long));
    server.now = long;
    server.session.timed_out(server.now);
    assert_eq!(server.events().len(), 2);
    assert_eq!(server.session.next_timeout(), None);
}

#[test]
fn a_deadline_that_is_over_before_the_body_is_there_is_answered() {
    let mut server = End::alone(Terms::default());
    let memory = server.house.memory;
    let first = Frame::request(1, &[0; 16_000]).of(48_000).deadline(100);
    server.get(&first).unwrap();
    assert!(server.house.memory < memory && server.session.held() > 0);
    server.now += Duration::from_millis(100);
    server.session.timed_out(server.now);
    assert_eq!(server.frames()[0].error(), (9, 0));
    server.get(&Frame::new(Kind::Request, 1, &[0; 16_000]).more()).unwrap();
    assert_eq!((server.house.memory, server.session.held()), (memory, 0));
    assert_eq!(kinds(&server.frames()), [Kind::Credit]);
    server.get(&Frame::new(Kind::Request, 1, &[0; 16_000])).unwrap();
    assert!(server.got.is_empty() && server.is_at_rest());
    server.get(&Frame::request(1, b"the id is free")).unwrap();
    server.request();
}

#[test]
fn deadlines_are_not_forgotten_when_others_end_before() {
    let mut pair = Pair::new();
    let early = call_until(&mut pair.client, 50);
    let late = call_until(&mut pair.client, 200);
    pair.client.abandon(early);
    pair.settle();
    let mut woken = 0;
    while let Some(at) = pair.client.session.next_timeout() {
        assert!(at >= pair.client.now);
        pair.client.now = at;
        pair.client.session.timed_out(at);
        woken += 1;
    }
    assert!(woken <= 2, "no deadline is looked for in vain more than once");
    assert_eq!(pair.client.outcome(late), Some(Outcome::Late { sent: true }));
}

#[test]
fn a_call_that_is_sent_at_once_has_all_its_time_from_when_the_clocks_are_started() {
    let mut client = End::alone(Terms::default());
    let time = Duration::from_millis(100);
    let ticket = client.session.call_at_once(0x41, b"", time).unwrap();
    assert_eq!(client.frames()[0].metadata.deadline, Some(100));
    assert!(client.session.has_clocks_to_start());
    assert_eq!(client.session.next_timeout(), None);

    client.now += Duration::from_secs(1);
    client.session.start_clocks(client.now);
    assert!(!client.session.has_clocks_to_start());
    assert_eq!(client.session.next_timeout(), Some(client.now + time));
    client.now += Duration::from_millis(99);
    assert_eq!((client.session.timed_out(client.now), client.outcome(ticket)), (None, None));
    client.now += Duration::from_millis(1);
    client.session.timed_out(client.now);
    assert_eq!(client.outcome(ticket), Some(Outcome::Late { sent: true }));
}

#[test]
fn a_call_that_has_ended_before_its_clock_was_started_leaves_its_place_to_another() {
    let mut pair = Pair::new();
    let short = pair.client.session.call_at_once(0x41, b"", Duration::from_millis(1)).unwrap();
    pair.settle();
    let (key, body) = pair.server.request();
    pair.server.reply(key, &body);
    pair.settle();
    assert_eq!(pair.client.outcome(short), reply(b""));
    let time = Duration::from_secs(1);
    let long = pair.client.session.call_at_once(0x41, b"", time).unwrap();
    assert_eq!(long.slot(), short.slot());
    pair.client.session.start_clocks(pair.client.now);
    assert_eq!(pair.client.session.next_timeout(), Some(pair.client.now + time));
}

#[test]
fn a_call_is_not_sent_at_once_where_it_would_have_to_wait_or_would_fail() {
    let mut pair =
        Pair::with(Terms::default(), Terms { calls: 1, max_message: 100, ..Terms::default() });
    let mut at_once = |body: &[u8], time| pair.client.session.call_at_once(0x41, body, time);
    let time = Duration::from_secs(1);
    assert!(at_once(b"", Duration::ZERO).is_none(), "it has no time");
    assert!(at_once(&[0; 101], time).is_none(), "it is too long for the peer");
    assert!(at_once(b"", time).is_some());
    assert!(at_once(b"", time).is_none(), "there is no second permit");
    let mut left = Pair::new();
    left.server.session.goaway(1, "bye");
    left.settle();
    assert!(left.client.session.call_at_once(0x41, b"", time).is_none());
    let mut lost = End::alone(Terms::default());
    lost.session.lost();
    assert!(lost.session.call_at_once(0x41, b"", time).is_none());
}
