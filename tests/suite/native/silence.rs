//! Peers that say nothing for long: who is asked whether it is there.

use dip::{Address, Client, CloseReason, Limits, Router, Server};
use tokio::net::TcpStream;

use super::raw::{PING, PONG, Raw, frame, hello, preface};
use super::support::*;

/// A server on TCP that asks silent peers every 100 ms, and where it is.
pub(crate) async fn asking() -> (Server, Address) {
    let builder = Server::builder("tcp:localhost:0").router(Router::group("native"));
    let builder = builder.state(Log::default()).state(Gate::closed()).insecure_no_auth(true);
    let bound = builder.limits(Limits::default().ping(ms(100))).bind().await.unwrap();
    let (server, address) = (bound.server(), bound.local_addr().clone());
    tokio::spawn(bound.run());
    (server, address)
}

/// A client that writes frames by hand.
pub(crate) async fn connect(address: &Address) -> Raw<TcpStream> {
    connect_as(address, &hello()).await
}

async fn connect_as(address: &Address, hello: &[u8]) -> Raw<TcpStream> {
    let Address::Tcp { port, .. } = *address else { panic!("{address}") };
    let stream = in_time(TcpStream::connect(("127.0.0.1", port))).await.unwrap();
    Raw::greet(stream, hello).await
}

/// Waits for several times as long as a peer may be silent that is asked and does not answer.
async fn long() {
    tokio::time::sleep(ms(1000)).await;
}

#[tokio::test]
async fn a_peer_that_answers_is_kept() {
    let (server, address) = asking().await;
    let mut raw = connect(&address).await;
    for _ in 0..5 {
        let ping = raw.next_of(PING).await;
        raw.write(&frame(PONG, 0, 0, &ping.body)).await;
    }
    assert_eq!(server.stats().connections, 1);
}

#[tokio::test]
async fn idle_clients_are_kept_and_keep_their_servers() {
    let (server, address) = asking().await;
    let limits = Limits::default().ping(ms(100));
    let client = Client::builder(address).limits(limits).connect().await.unwrap();
    long().await;
    assert_eq!(in_time(client.call(&Add { a: 1, b: 2 })).await.unwrap(), 3);
    assert_eq!(server.stats().accepted, 1);
}

#[tokio::test]
async fn a_client_learns_that_its_server_is_gone() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let instance = [&[2, 0, 0, 0, 16][..], &[7; 16]].concat();
        let mut raw = Raw(stream);
        raw.write(&preface(6, &[b"dip\0\x01\0\0\0", &instance[..]].concat())).await;
        std::future::pending::<()>().await;
    });
    let builder = Client::builder(format!("tcp:127.0.0.1:{port}").as_str());
    let client = builder.limits(Limits::default().ping(ms(100))).connect().await.unwrap();
    in_time(client.disconnected()).await;
    serving.abort();
}

#[tokio::test]
async fn a_blocking_client_is_not_asked_over_the_wire() {
    let (server, address) = asking().await;
    let passive = [&[9, 0, 0, 0, 8][..], &4_u64.to_be_bytes()].concat();
    let instance = [&[2, 0, 0, 0, 16][..], &[7; 16]].concat();
    let fields = [instance, passive].concat();
    let hello = preface(5, &[b"dip\0\x01\x01\0\0", &fields[..]].concat());
    let mut raw = connect_as(&address, &hello).await;
    long().await;
    assert_eq!(server.stats().connections, 1);
    raw.write(&frame(0x7f, 0, 0, b"")).await;
    assert!(raw.rest().await.iter().all(|frame| frame.kind != PING));
}

#[tokio::test]
async fn on_a_unix_socket_the_kernel_tells_and_nobody_is_asked() {
    let limits = Limits::default().ping(ms(100));
    let served = served_with(|builder| builder.limits(limits)).await;
    let mut raw = Raw::connect(&served.path).await;
    long().await;
    assert_eq!(served.server.stats().connections, 2);
    raw.write(&frame(0x7f, 0, 0, b"")).await;
    assert!(raw.rest().await.iter().all(|frame| frame.kind != PING));
    assert_eq!(served.server.stats().closed(CloseReason::Silent), 0);
}
