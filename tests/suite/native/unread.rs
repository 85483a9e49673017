//! Peers that read nothing.

use dip::{CloseReason, Protocol};

use super::raw::{REQUEST, Raw, frame};
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
