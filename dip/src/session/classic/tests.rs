//! The session, step by step.

use super::*;

/// Takes `O` up to 100,000 bytes.
struct Only;

impl Admission for Only {
    fn max_len(&self, mtype: u8) -> Result<usize, Rejection> {
        let unknown = || Rejection::of(Code::UnknownType, "UnsupportedProtoError", "no");
        if mtype == b'O' { Ok(100_000) } else { Err(unknown()) }
    }
}

struct Script {
    session: Session,
    start: Instant,
}

impl Script {
    fn new() -> Self {
        let start = Instant::now();
        Self { session: Session::new(&Limits::default(), start), start }
    }

    fn at(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    /// `bytes` arrive in one read of their own.
    fn receive(&mut self, ms: u64, bytes: &[u8]) -> &mut Self {
        let mut rest = bytes;
        while !rest.is_empty() {
            let input = self.session.input();
            let room = input.capacity() - input.len();
            let now = rest.len().min(room);
            input.extend_from_slice(&rest[..now]);
            rest = &rest[now..];
            let at = self.at(ms);
            self.session.received(now, at, &Only);
        }
        self.session.drained();
        self
    }

    fn message(&mut self) -> Option<String> {
        match self.session.poll_event(&Only)? {
            Event::Message(_, body) => Some(String::from_utf8_lossy(&body).into_owned()),
            Event::Refused(_, rejection) => Some(rejection.to_string()),
        }
    }

    fn written(&mut self) -> String {
        let output = self.session.output().split();
        String::from_utf8_lossy(&output).into_owned()
    }
}

fn frame(text: &str) -> Vec<u8> {
    let mut frame = classic::header(b'O', text.len() as u32).to_vec();
    frame.extend_from_slice(text.as_bytes());
    frame
}

#[test]
fn a_frame_is_put_together_however_it_is_cut() {
    let frames = [frame("hello"), frame(""), frame("world")].concat();
    for cut in 0..=frames.len() {
        let mut script = Script::new();
        let mut seen = Vec::new();
        for (ms, part) in [(0, &frames[..cut]), (1, &frames[cut..])] {
            script.receive(ms, part);
            while let Some(text) = script.message() {
                seen.push(text);
                assert!(script.session.reply(Ok(())));
            }
        }
        assert_eq!(seen, ["hello", "", "world"], "cut at {cut}");
        assert_eq!(script.written(), "okokok");
    }
}

#[test]
fn frames_sent_in_one_go_keep_one_reply_each() {
    let mut script = Script::new();
    script.receive(0, &[frame("a"), frame("b")].concat());
    assert_eq!(script.message().as_deref(), Some("a"));
    assert_eq!(script.message(), None, "a reply is due");
    assert!(script.session.reply(Ok(())));
    assert_eq!(script.message().as_deref(), Some("b"));
    assert!(script.session.reply(Err(&Rejection::named("ValueError", "x"))));
    assert_eq!(script.written(), "okValueError('x')");
}

#[test]
fn a_long_burst_is_one_go_however_slowly_it_is_handled() {
    let mut script = Script::new();
    let burst: Vec<u8> = (0..50).flat_map(|_| frame(&"x".repeat(5_000))).collect();
    let (mut rest, mut ms, mut replies) = (&burst[..], 0, 0);
    while replies < 50 {
        while script.session.wants_input() && !rest.is_empty() {
            let input = script.session.input();
            let room = (input.capacity() - input.len()).min(rest.len());
            input.extend_from_slice(&rest[..room]);
            rest = &rest[room..];
            let at = script.at(ms);
            script.session.received(room, at, &Only);
        }
        if script.message().is_some() {
            ms += 1_000;
            replies += usize::from(script.session.reply(Ok(())));
        }
    }
    assert_eq!(script.written(), "ok".repeat(50));
}

#[test]
fn messages_that_come_one_by_one_use_the_same_room_and_a_burst_leaves_none_behind() {
    let mut script = Script::new();
    let mut exchange = |bytes: &[u8], messages: usize| {
        script.receive(0, bytes);
        let at = script.session.input().as_ptr();
        for _ in 0..messages {
            assert!(script.message().is_some() && script.session.reply(Ok(())));
        }
        (at, script.session.buffered(0))
    };
    for len in [1, 100, 500, 600, 800, 1_000, 2_100, 3_067, 4_000] {
        let message = frame(&"x".repeat(len));
        // Until it is known how much room they take.
        (0..8).for_each(|_| _ = exchange(&message, 1));
        let (at, room) = exchange(&message, 1);
        assert!(room <= 4 * COPIED, "{len}: {room}");
        assert_eq!(exchange(&message, 1), (at, room), "{len}");
    }
    let burst: Vec<u8> = (0..500).flat_map(|_| frame(&"x".repeat(500))).collect();
    exchange(&burst, 500);
    exchange(&frame("short"), 1);
    let (_, last) = exchange(&frame("short"), 1);
    assert!(last <= 2 * IDLE, "{last}");
}

#[test]
fn bodies_that_were_split_off_count_with_what_is_behind_them() {
    let mut script = Script::new();
    let burst: Vec<u8> = (0..500).flat_map(|_| frame(&"x".repeat(500))).collect();
    script.receive(0, &burst);
    let all = script.session.buffered(0);
    for _ in 1..500 {
        assert!(script.message().is_some());
        assert_eq!(script.session.buffered(500), all, "the body in hand is a part of it");
        assert!(script.session.reply(Ok(())));
        assert_eq!(script.session.buffered(0), all);
    }
    assert!(script.message().is_some());
    assert_eq!(script.session.buffered(0), 0);
}

#[test]
fn a_reply_still_due_when_a_later_frame_arrives_is_never_written() {
    let mut script = Script::new();
    script.receive(0, &frame("slow"));
    assert_eq!(script.message().as_deref(), Some("slow"));
    script.receive(2_000, &frame("next")[..1]);
    assert!(!script.session.reply(Ok(())), "the client has given up");
    script.receive(2_001, &frame("next")[1..]);
    assert_eq!(script.message().as_deref(), Some("next"));
    assert!(script.session.reply(Ok(())));
    assert_eq!(script.written(), "ok");
}

#[test]
fn lateness_is_known_of_frames_that_waited_behind_another() {
    let mut script = Script::new();
    script.receive(0, &frame("first"));
    script.message();
    script.receive(2_000, &frame("second"));
    script.receive(4_000, &frame("third"));
    assert!(!script.session.reply(Ok(())));
    assert_eq!(script.message().as_deref(), Some("second"));
    assert!(!script.session.reply(Ok(())), "`third` came 2 s after `second`");
    assert_eq!(script.message().as_deref(), Some("third"));
    assert!(script.session.reply(Ok(())));
    assert_eq!(script.written(), "ok");
}

#[test]
fn a_frame_soon_after_another_leaves_its_reply_alone() {
    let mut script = Script::new();
    script.receive(0, &frame("a"));
    script.message();
    script.receive(250, &frame("b"));
    assert!(script.session.reply(Ok(())));
}

#[test]
fn a_body_of_unknown_type_is_discarded_and_answered() {
    let mut script = Script::new();
    script.receive(0, &[&b"Z\0\x01\0\0"[..], &[7; 65_535]].concat());
    assert_eq!(script.message(), None, "a byte is missing");
    assert!(script.session.buffered(0) <= STEP, "{}", script.session.buffered(0));
    script.receive(1, &[&[7][..], &frame("after")].concat());
    assert_eq!(script.message().as_deref(), Some("UnsupportedProtoError('no')"));
    assert!(script.session.reply(Err(&Rejection::named("E", ""))));
    assert_eq!(script.message().as_deref(), Some("after"));
}

#[test]
fn a_header_announcing_4_gib_ends_the_stream_and_reserves_nothing() {
    for mtype in [b'O', b'Z'] {
        let mut script = Script::new();
        script.receive(0, &[mtype, 0xff, 0xff, 0xff, 0xff]);
        assert!(script.session.buffered(0) <= 2 * STEP);
        assert!(script.message().is_some());
        assert!(script.session.is_closing() && !script.session.wants_input());
        assert!(script.session.reply(Err(&Rejection::named("E", ""))), "it is still answered");
    }
}

#[test]
fn a_known_type_over_its_limit_is_answered_and_the_connection_goes_on() {
    let mut script = Script::new();
    script.receive(0, &frame(&"x".repeat(100_001)));
    let text = "ValueError(\"a message 'O' has at most 100000 bytes here, this one has 100001\")";
    assert_eq!(script.message().as_deref(), Some(text));
    script.session.reply(Ok(()));
    script.receive(1, &frame("after"));
    assert_eq!(script.message().as_deref(), Some("after"));
}

#[test]
fn time_limits_are_watched_in_order() {
    let mut script = Script::new();
    assert_eq!(script.session.overdue(script.at(4_999)), None);
    assert_eq!(script.session.overdue(script.at(5_000)), Some(Overdue::Handshake));
    script.receive(0, &frame("hi"));
    script.message();
    script.session.reply(Ok(()));
    assert_eq!(script.session.next_timeout(), None, "an idle connection has no limit");
    script.receive(10_000, b"O\0\0\xff\xff123");
    assert_eq!(script.session.overdue(script.at(15_000)), None);
    assert_eq!(script.session.overdue(script.at(15_100)), Some(Overdue::Progress));
    script.receive(14_000, &[1; 60_000]);
    assert_eq!(script.session.overdue(script.at(39_999)), None);
    assert_eq!(script.session.overdue(script.at(40_000)), Some(Overdue::Frame));
}

#[test]
fn what_came_unseen_is_in_doubt_until_the_stream_is_quiet() {
    let mut script = Script::new();
    script.receive(0, &frame("slow"));
    script.message();
    script.session.lost_sight();
    script.receive(2_000, &frame("unseen"));
    assert!(!script.session.reply(Ok(())), "`unseen` may have come at any time");
    script.message();
    assert!(script.session.is_in_doubt());
    script.receive(2_050, &frame("behind it"));
    assert!(!script.session.is_in_doubt() && !script.session.reply(Ok(())));
    script.message();
    assert!(script.session.is_in_doubt());
    assert!(script.session.reply(Ok(())), "nothing has come that it could be taken for");
    script.receive(3_000, &frame("seen"));
    script.message();
    assert!(!script.session.is_in_doubt() && script.session.reply(Ok(())));
}

#[test]
fn a_look_that_finds_nothing_has_missed_nothing() {
    let mut script = Script::new();
    script.session.lost_sight();
    script.session.drained();
    script.receive(0, &frame("seen"));
    script.message();
    assert!(!script.session.is_in_doubt());
}

#[test]
fn the_last_word_comes_behind_the_reply_that_is_due() {
    let mut script = Script::new();
    script.receive(0, &frame("in hand"));
    script.message();
    script.session.close(Some(Rejection::named("ConnectionError", "enough")));
    assert_eq!(script.written(), "");
    assert!(script.session.reply(Ok(())));
    assert_eq!(script.written(), "okConnectionError('enough')");
}
