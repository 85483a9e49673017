//! Calls that serve calls.

use super::*;

/// A call of the client, and one of the server that serves it.
fn nested(pair: &mut Pair) -> (Ticket, RequestKey, Ticket) {
    let outer = pair.client.call(b"outer");
    pair.settle();
    let (key, _) = pair.server.request();
    let inner = serve(&mut pair.server, key);
    (outer, key, inner)
}

fn serve(end: &mut End, key: RequestKey) -> Ticket {
    end.session.call(Outgoing { parent: Some(key), ..message(b"inner") }, end.now)
}

fn depth(end: &mut End) -> (RequestKey, u8) {
    match end.got.pop_front() {
        Some(Got::Request { key, depth, .. }) => (key, depth),
        other => panic!("{other:?} is no request"),
    }
}

#[test]
fn the_depth_of_a_call_is_one_more_than_that_of_the_call_it_serves() {
    let mut pair = Pair::new();
    nested(&mut pair);
    pair.settle();
    let (key, one) = depth(&mut pair.client);
    serve(&mut pair.client, key);
    pair.settle();
    let (_, two) = depth(&mut pair.server);
    assert_eq!((one, two), (1, 2));
}

#[test]
fn each_depth_has_permits_of_its_own() {
    let few = Terms { calls: 1, nested_calls: 1, ..Terms::default() };
    let mut pair = Pair::with(few, few);
    let (outer, outer_key, inner) = nested(&mut pair);
    let back = pair.server.call(b"takes the permit of depth 0");
    pair.settle();
    let (inner_key, _) = depth(&mut pair.client);
    let (back_key, _) = depth(&mut pair.client);
    pair.client.reply(inner_key, b"inner");
    pair.client.reply(back_key, b"back");
    pair.settle();
    assert_eq!(pair.server.outcome(inner), reply(b"inner"));
    assert_eq!(pair.server.outcome(back), reply(b"back"));
    pair.server.reply(outer_key, b"outer");
    pair.settle();
    assert_eq!(pair.client.outcome(outer), reply(b"outer"));
    assert!(pair.is_at_rest());
}

#[test]
fn a_call_too_deep_is_refused_here_and_there() {
    let shallow = Terms { deepest: 0, ..Terms::default() };
    let mut pair = Pair::with(shallow, Terms::default());
    let (_, _, inner) = nested(&mut pair);
    assert_eq!(pair.server.outcome(inner), Some(Outcome::Refused(Refused::TooDeep)));
    let mut server = End::alone(shallow);
    server.call(b"");
    server.written();
    let id = server.session.ids.first_in_use();
    server.get(&Frame::request(1, b"").parent(id)).unwrap();
    assert_eq!(server.frames()[0].error(), (13, 0));
}

#[test]
fn a_parent_that_is_no_call_under_way_ends_the_connection() {
    for id in [0, 1, 2, 5, u32::MAX] {
        let mut server = End::alone(Terms::default());
        let result = server.get(&Frame::request(1, b"").parent(id)).map(drop);
        assert!(matches!(result, Err(Violation::OutOfPlace(_))), "{id}");
    }
}

#[test]
fn a_call_for_a_parent_that_has_ended_serves_none() {
    let few = Terms { nested_calls: 1, ..Terms::default() };
    let mut pair = Pair::with(few, few);
    let (_, key, _) = nested(&mut pair);
    let waits = serve(&mut pair.server, key);
    pair.server.reply(key, b"");
    let dead = serve(&mut pair.server, key);
    pair.settle();
    let depths = [depth(&mut pair.client), depth(&mut pair.client)];
    assert_eq!(depths.map(|(_, depth)| depth), [1, 0], "one whose parent is dead goes out at once");
    pair.client.reply(depths[0].0, b"");
    pair.settle();
    let (orphan, at) = depth(&mut pair.client);
    assert_eq!(at, 0, "one that waited is an orphan when its turn comes");
    pair.client.reply(orphan, b"orphan");
    pair.client.reply(depths[1].0, b"dead");
    pair.settle();
    assert_eq!(pair.server.outcome(waits), reply(b"orphan"));
    assert_eq!(pair.server.outcome(dead), reply(b"dead"));
    assert!(pair.is_at_rest());
}

#[test]
fn a_long_call_whose_parent_ends_before_its_first_piece_serves_none() {
    let mut pair =
        Pair::with(Terms { body_window: 16 << 20, ..Terms::default() }, Terms::default());
    pair.client.call(b"outer");
    pair.settle();
    let (key, _) = pair.server.request();
    pair.server.call(&vec![0; 16 << 20]);
    let body = long(100_000);
    let out = Outgoing { parent: Some(key), ..message(&body) };
    let inner = pair.server.session.call(out, pair.server.now);
    pair.server.reply(key, b"");
    pair.settle();
    depth(&mut pair.client);
    let (key, at) = depth(&mut pair.client);
    assert_eq!(at, 0);
    pair.client.reply(key, b"ok");
    pair.settle();
    assert_eq!(pair.server.outcome(inner), reply(b"ok"));
    assert_eq!(pair.server.session.permits[1], 0);
}

#[test]
fn a_lane_held_by_an_ancestor_is_seen_through_any_number_of_calls() {
    let mut pair = Pair::new();
    let (_, outer, inner) = nested(&mut pair);
    pair.server.session.hold_lane(outer, 3);
    let mut served = Vec::new();
    for _ in 0..2 {
        pair.settle();
        let (key, _) = depth(&mut pair.client);
        serve(&mut pair.client, key);
        pair.settle();
        let (key, _) = depth(&mut pair.server);
        serve(&mut pair.server, key);
        served.push(key);
    }
    pair.client.call(b"unrelated");
    pair.settle();
    let (unrelated, _) = depth(&mut pair.server);
    let server = &mut pair.server.session;
    for key in &served {
        assert!(server.ancestor_holds(*key, 3));
        assert!(!server.ancestor_holds(*key, 2), "another lane");
    }
    assert!(!server.ancestor_holds(unrelated, 3));
    assert!(!server.ancestor_holds(outer, 3), "it holds the lane itself");
    server.abandon(inner, pair.server.now);
    assert!(server.ancestor_holds(served[1], 3), "a cancelled call is still under way");
    server.reply(outer, Body::from(&b""[..]));
    assert!(!server.ancestor_holds(served[1], 3), "it has left the lane");
}

#[test]
fn a_handler_whose_long_reply_is_on_its_way_has_left_its_lane() {
    let mut pair = Pair::new();
    let (_, outer, _) = nested(&mut pair);
    pair.server.session.hold_lane(outer, 0);
    pair.settle();
    let (between, _) = depth(&mut pair.client);
    serve(&mut pair.client, between);
    pair.settle();
    let (innermost, _) = depth(&mut pair.server);
    assert!(pair.server.session.ancestor_holds(innermost, 0));
    pair.server.reply(outer, &long(1_000_000));
    assert!(!pair.server.session.ancestor_holds(innermost, 0));
}
