//! Peers that say nothing.

use super::*;

const EVERY: Duration = Duration::from_secs(30);

/// A server that asks silent peers, and its client.
fn asking(client: Terms) -> Pair {
    let mut pair = Pair::with(client, Terms::default());
    let times = Times { ping: Some(EVERY), ..TIMES };
    let now = pair.server.now;
    pair.server.session = Session::new(Side::Acceptor, Terms::default(), client, times, now);
    pair
}

fn wait(end: &mut End, time: Duration) -> Option<Overdue> {
    end.now += time;
    end.session.timed_out(end.now)
}

#[test]
fn a_silent_peer_is_asked_twice_and_then_given_up() {
    let Pair { mut server, .. } = asking(Terms::default());
    assert_eq!(server.session.next_timeout(), Some(server.now + EVERY));
    assert_eq!(wait(&mut server, EVERY - Duration::from_millis(1)), None);
    assert!(server.written().is_empty());
    assert_eq!(wait(&mut server, Duration::from_millis(1)), None);
    assert_eq!(kinds(&server.frames()), [Kind::Ping]);
    assert_eq!(wait(&mut server, EVERY), None);
    assert_eq!(kinds(&server.frames()), [Kind::Ping]);
    assert_eq!(wait(&mut server, EVERY), Some(Overdue::Silence));
    server.session.lost();
    assert_eq!(server.session.next_timeout(), None);
}

#[test]
fn a_peer_that_answers_or_says_anything_is_kept() {
    let mut pair = asking(Terms::default());
    for _ in 0..10 {
        assert_eq!(wait(&mut pair.server, EVERY), None);
        let bytes = pair.server.written();
        pair.client.receive(&bytes).unwrap();
        let bytes = pair.client.written();
        if !bytes.is_empty() {
            assert_eq!(kinds(&frames(&bytes)), [Kind::Pong]);
            pair.server.receive(&bytes).unwrap();
            pair.server.session.heard();
        }
    }
    for _ in 0..10 {
        pair.server.session.heard();
        assert_eq!(wait(&mut pair.server, EVERY), None);
        assert!(pair.server.written().is_empty(), "nobody is asked who speaks");
    }
}

#[test]
fn an_answer_to_such_a_ping_confirms_one_way_messages_as_well() {
    let mut pair = asking(Terms::default());
    pair.server.notify(b"");
    assert_eq!(wait(&mut pair.server, EVERY), None);
    let ticket = pair.server.session.flush(None, pair.server.now);
    let bytes = pair.server.written();
    assert_eq!(kinds(&frames(&bytes)), [Kind::Notify, Kind::Ping], "one ping will do for both");
    pair.client.receive(&bytes).unwrap();
    pair.settle();
    assert_eq!(pair.server.outcome(ticket), Some(Outcome::Flushed));
}

#[test]
fn a_blocking_client_is_not_asked() {
    let Pair { mut server, .. } = asking(Terms { passive: true, ..Terms::default() });
    assert_eq!(server.session.next_timeout(), None);
    assert_eq!(wait(&mut server, EVERY * 10), None);
    assert!(server.written().is_empty());
}
