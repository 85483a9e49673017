//! Clients that leave: what they sent whole is handled.

use dip::{CloseReason, Mtype, Router, State, handler};

use super::support::*;

#[handler]
async fn note(Note(text): Note, State(log): State<Log>, State(gate): State<Gate>) {
    gate.pass().await;
    log.push(text);
}

async fn fixture(open: usize) -> (Running, Log, Gate) {
    let (log, gate) = (Log::default(), Gate::closed());
    gate.open(open);
    let router = Router::new().handler(note);
    let running =
        serve_with(|builder| builder.router(router).state(log.clone()).state(gate.clone())).await;
    (running, log, gate)
}

fn frames(count: usize) -> Vec<u8> {
    (0..count).flat_map(|number| frame(NOTE, number.to_string())).collect()
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

async fn closed(running: &Running, reason: CloseReason) {
    until(|| running.server.stats().closed(reason) == 1).await;
    assert_eq!(running.server.stats().connections, 0);
}

#[tokio::test]
async fn frames_of_a_client_that_never_reads_and_leaves_are_all_handled() {
    let (running, log, _) = fixture(1000).await;
    let mut client = running.connect().await;
    client.write(&frames(1000)).await;
    drop(client);
    log.reaches(1000).await;
    assert_eq!(log.all(), texts(1000));
    until(|| running.server.stats().connections == 0).await;
}

#[tokio::test]
async fn a_handler_goes_on_when_its_client_has_left() {
    let (running, log, gate) = fixture(0).await;
    let mut client = running.connect().await;
    client.write(&frames(3)).await;
    until(|| running.server.stats().of(Mtype::byte(NOTE)).unwrap().in_flight == 1).await;
    drop(client);
    gate.open(3);
    log.reaches(3).await;
    until(|| running.server.stats().connections == 0).await;
}

#[tokio::test]
async fn half_a_frame_at_the_end_is_dropped() {
    let (running, log, _) = fixture(10).await;
    let mut client = running.connect().await;
    client.write(&frames(2)).await;
    client.write(&frame(NOTE, "half")[..7]).await;
    client.expect("okok").await;
    drop(client);
    closed(&running, CloseReason::Lost).await;
    assert_eq!(log.all(), texts(2));
}

#[tokio::test]
async fn a_client_that_stops_sending_still_gets_its_replies() {
    let (running, log, _) = fixture(100).await;
    let mut client = running.connect().await;
    client.write(&frames(100)).await;
    tokio::io::AsyncWriteExt::shutdown(&mut client.0).await.unwrap();
    assert_eq!(client.rest().await, "ok".repeat(100));
    closed(&running, CloseReason::PeerClosed).await;
    assert_eq!(log.all(), texts(100));
}

#[tokio::test]
async fn connections_leave_nothing_behind() {
    let (running, _, _) = fixture(1000).await;
    for round in 0..200 {
        let mut client = running.connect().await;
        client.write(&frame(NOTE, "x")[..round % 6]).await;
        if round % 6 == 0 {
            assert_eq!(client.ask(NOTE, "x").await, "ok");
        }
    }
    until(|| running.server.stats().connections == 0).await;
    let stats = running.server.stats();
    assert_eq!(stats.accepted, 200);
    assert!(stats.types.iter().all(|of| of.in_flight == 0));
}

/// A server that logs which clients are gone.
async fn telling() -> (Running, Log) {
    let (log, told) = (Log::default(), Log::default());
    let options = (log.clone(), told.clone());
    let running = serve_with(|builder| {
        builder
            .router(Router::new().handler(note))
            .state(options.0)
            .state(Gate::closed())
            .on_client_gone(move |gone| options.1.push(gone.id.as_u128().to_string()))
    })
    .await;
    (running, told)
}

async fn claim(client: &mut Client, id: u128) {
    assert_eq!(client.ask(0x1d, id.to_be_bytes()).await, "ok");
}

#[tokio::test]
async fn a_client_whose_last_connection_takes_another_id_is_gone() {
    let (running, told) = telling().await;
    let mut client = running.connect().await;
    claim(&mut client, 1).await;
    assert_eq!(told.all(), [""; 0]);
    claim(&mut client, 2).await;
    assert_eq!(told.all(), ["1"]);
    claim(&mut client, 1).await;
    assert_eq!(told.all(), ["1", "2"]);
    drop(client);
    told.reaches(3).await;
    assert_eq!(told.all(), ["1", "2", "1"]);
}

#[tokio::test]
async fn a_client_that_has_another_connection_or_says_its_id_again_is_not_gone() {
    let (running, told) = telling().await;
    let (mut one, mut two) = (running.connect().await, running.connect().await);
    claim(&mut one, 1).await;
    claim(&mut one, 1).await;
    claim(&mut two, 1).await;
    claim(&mut one, 2).await;
    assert_eq!(told.all(), [""; 0]);
    drop(one);
    told.reaches(1).await;
    claim(&mut two, 2).await;
    assert_eq!(told.all(), ["2", "1"]);
}
