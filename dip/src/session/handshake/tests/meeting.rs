//! Both sides at once, and a client that meets a classic server.

use std::time::Instant;

use super::*;
use crate::limits::Limits;
use crate::session::classic::{Admission, Event, Session};

/// A classic server that knows no types.
struct Nothing;

impl Admission for Nothing {
    fn max_len(&self, mtype: u8) -> Result<usize, Rejection> {
        Err(Rejection::unknown_type(mtype))
    }
}

/// What a classic session answers to bytes that come in these parts.
fn classic_answer(parts: [&[u8]; 2]) -> Vec<u8> {
    let now = Instant::now();
    let mut session = Session::new(&Limits::default(), now);
    for part in parts {
        session.input().extend_from_slice(part);
        session.received(part.len(), now, &Nothing);
        while let Some(event) = session.poll_event(&Nothing) {
            let Event::Refused(_, why) = event else { panic!("a HELLO is no message") };
            session.reply(Err(&why));
        }
    }
    session.output().to_vec()
}

#[test]
fn a_client_and_a_server_agree_however_their_bytes_are_cut() {
    let (said, answer) = (hello().encode(), accepted().encode());
    for cut in 0..said.len() {
        let mut listening = Listening::default();
        assert_eq!(listening.received(&said[..cut]), Step::More);
        let Step::Hello { hello: heard, .. } = listening.received(&said[cut..]) else {
            panic!("cut at {cut}");
        };
        assert_eq!(*heard, hello());
        let welcome = Welcome { version: heard.version(), ..accepted() };
        assert_eq!(welcome.encode(), answer);
    }
    let welcome = Heard::Welcome { welcome: Box::new(accepted()), used: answer.len() };
    assert_eq!(heard_at_last(&answer), Some((answer.len(), welcome)));
}

#[test]
fn a_client_goes_on_classically_with_a_server_that_answers_any_cut_of_its_hello() {
    let said = hello().encode();
    for cut in 0..=said.len() {
        let answer = classic_answer([&said[..cut], &said[cut..]]);
        assert_eq!(heard_at_last(&answer), Some((74, Heard::Classic)), "cut at {cut}");
    }
}

#[test]
fn a_classic_server_is_in_step_behind_a_hello() {
    let said = [hello().encode(), b"Z\0\0\0\x01z".to_vec()].concat();
    let answer = String::from_utf8(classic_answer([&said, b""])).unwrap();
    let next = Rejection::unknown_type(b'Z').to_string();
    assert_eq!(answer.as_bytes(), [CLASSIC, next.as_bytes()].concat());
}
