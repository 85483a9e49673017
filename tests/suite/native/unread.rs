//! Peers that read nothing, or do not say that they have.

use dip::{CloseReason, Limits, Protocol};

use super::raw::{CREDIT, REPLY, REQUEST, Raw, frame, preface};
use super::support::*;

#[tokio::test]
async fn a_peer_that_breaks_the_rules_is_closed_although_it_reads_nothing() {
    let served = served().await;
    let mut raw = Raw::connect(&served.path).await;
    // The replies are more than the stream holds.
    for call in 0..200 {
        raw.write(&frame(REQUEST, call * 2 + 1, Echo::MTYPE.number(), &[b'x'; 10 << 10])).await;
    }
    until(|| served.of(Echo::MTYPE).count == 200).await;
    raw.write(&frame(0x7f, 0, 0, b"")).await;
    until(|| served.server.stats().closed(CloseReason::Violation) == 1).await;
    assert_eq!(served.client.call(&Add { a: 1, b: 2 }).await.unwrap(), 3);
}

/// A peer with room for 64 KiB of long bodies that has called for two of 40 KiB.
async fn with_little_room(served: &Served) -> Raw {
    let field =
        |tag: u8, value: &[u8]| [&[tag][..], &(value.len() as u32).to_be_bytes(), value].concat();
    let room = (64_u64 << 10).to_be_bytes();
    let fields = [field(2, &[7; 16]), field(3, &room), field(8, &room)].concat();
    let hello = preface(5, &[b"dip\0\x01\x01\0\0", &fields[..]].concat());
    let mut raw = Raw::connect_as(&served.path, &hello).await;
    for call in [1, 3] {
        raw.write(&frame(REQUEST, call, Echo::MTYPE.number(), &[b'x'; 40 << 10])).await;
    }
    raw.next_of(REPLY).await;
    raw
}

#[tokio::test]
async fn a_peer_that_gives_no_credit_for_a_reply_is_closed() {
    let limits = Limits::default().write(ms(200));
    let served = served_with(|builder| builder.limits(limits)).await;
    let mut raw = with_little_room(&served).await;
    raw.rest().await;
    until(|| served.server.stats().closed(CloseReason::SlowConsumer) == 1).await;
    assert_eq!(served.client.call(&Add { a: 1, b: 2 }).await.unwrap(), 3);
}

#[tokio::test]
async fn a_peer_that_gives_credit_in_time_has_its_reply() {
    let limits = Limits::default().write(ms(1000));
    let served = served_with(|builder| builder.limits(limits)).await;
    let mut raw = with_little_room(&served).await;
    for _ in 0..4 {
        tokio::time::sleep(ms(400)).await;
        raw.write(&frame(CREDIT, 0, 0, &[3, 0, 0, 10 << 2, 0])).await;
    }
    assert_eq!(raw.next_of(REPLY).await.call, 3);
}
