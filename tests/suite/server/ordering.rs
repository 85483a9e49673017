//! Which handlers wait for each other, and messages that are acknowledged before they are handled.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use dip::{Limits, Mtype, Rejection, Router, State, handler};

use super::support::*;

/// What the handlers of these tests share.
#[derive(Clone)]
struct Shop {
    log: Log,
    gate: Gate,
    /// Handlers that are under way.
    busy: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Shop {
    fn new() -> Self {
        let (busy, most) = Default::default();
        Self { log: Log::default(), gate: Gate::closed(), busy, most }
    }

    async fn work(&self, text: String) {
        let now = self.busy.fetch_add(1, SeqCst) + 1;
        self.most.fetch_max(now, SeqCst);
        self.gate.pass().await;
        self.log.push(text);
        self.busy.fetch_sub(1, SeqCst);
    }

    fn busy(&self) -> usize {
        self.busy.load(SeqCst)
    }

    fn most(&self) -> usize {
        self.most.load(SeqCst)
    }
}

#[handler]
async fn plain(Note(text): Note, State(shop): State<Shop>) {
    shop.work(text).await;
}

#[handler(ack = "received")]
async fn early(Note(text): Note, State(shop): State<Shop>) {
    shop.work(text).await;
}

#[handler(ordered, ack = "received")]
async fn by_connection(Note(text): Note, State(shop): State<Shop>) {
    shop.work(text).await;
}

#[handler(ordered = "client")]
async fn by_client(Note(text): Note, State(shop): State<Shop>) {
    shop.work(text).await;
}

#[handler(ordered = "server")]
async fn by_server(Note(text): Note, State(shop): State<Shop>) {
    shop.work(text).await;
}

/// In the lane of `by_server`, too.
#[handler(ordered = "server")]
async fn by_server_too(Brief(text): Brief, State(shop): State<Shop>) {
    shop.work(text).await;
}

#[handler(ack = "received")]
async fn fails_later(Brief(text): Brief) -> Result<(), Rejection> {
    match text.as_str() {
        "panic" => std::panic::resume_unwind(Box::new("secret")),
        _ => Err(Rejection::named("ValueError", text)),
    }
}

async fn fixture(router: Router, limits: Limits) -> (Running, Shop) {
    let shop = Shop::new();
    let running =
        serve_with(|builder| builder.router(router).state(shop.clone()).limits(limits)).await;
    (running, shop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_of_one_connection_run_in_order_one_by_one() {
    let (running, shop) = fixture(Router::new().handler(plain), Limits::default()).await;
    let mut client = running.connect().await;
    let texts: Vec<_> = (0..50).map(|number| number.to_string()).collect();
    client.write(&texts.iter().flat_map(|text| frame(NOTE, text)).collect::<Vec<_>>()).await;
    for _ in 0..50 {
        until(|| shop.busy() == 1).await;
        shop.gate.open(1);
        client.expect("ok").await;
    }
    assert_eq!((shop.log.all(), shop.most()), (texts, 1));
}

#[tokio::test]
async fn handlers_of_two_connections_run_at_the_same_time() {
    let (running, shop) = fixture(Router::new().handler(plain), Limits::default()).await;
    let (mut one, mut two) = (running.connect().await, running.connect().await);
    one.send(NOTE, "1").await;
    two.send(NOTE, "2").await;
    until(|| shop.busy() == 2).await;
    shop.gate.open(2);
    assert_eq!((one.reply().await, two.reply().await), ("ok".into(), "ok".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_of_a_connection_keeps_its_order_also_behind_the_acknowledgement() {
    let limits = Limits::default().queued_messages(1000);
    let (running, shop) = fixture(Router::new().handler(by_connection), limits).await;
    let texts: Vec<_> = (0..500).map(|number| number.to_string()).collect();
    let mut client = running.connect().await;
    client.write(&texts.iter().flat_map(|text| frame(NOTE, text)).collect::<Vec<_>>()).await;
    client.expect(&"ok".repeat(500)).await;
    let mut other = running.connect().await;
    assert_eq!(other.ask(NOTE, "other").await, "ok");
    until(|| shop.busy() == 2).await;
    shop.gate.open(501);
    shop.log.reaches(501).await;
    let mut seen = shop.log.all();
    seen.retain(|text| text != "other");
    assert_eq!(seen, texts);
    assert_eq!(shop.most(), 2, "one of each connection");
}

#[tokio::test]
async fn a_lane_of_a_client_spans_the_connections_that_claim_its_id() {
    let (running, shop) = fixture(Router::new().handler(by_client), Limits::default()).await;
    let mut clients = Vec::new();
    for id in [1, 1, 2] {
        let mut client = running.connect().await;
        assert_eq!(client.ask(0x1d, [id; 16]).await, "ok");
        clients.push(client);
    }
    clients[0].send(NOTE, "first").await;
    until(|| shop.busy() == 1).await;
    clients[1].send(NOTE, "second").await;
    clients[2].send(NOTE, "of another").await;
    until(|| shop.busy() == 2).await;
    clients[1].expect_silence(100).await;
    assert_eq!((shop.busy(), shop.most()), (2, 2), "the second waits for the first");
    shop.gate.open(3);
    for client in &mut clients {
        assert_eq!(client.reply().await, "ok");
    }
    let log = shop.log.all();
    let place = |text| log.iter().position(|seen| seen == text);
    assert!(place("first") < place("second"), "{log:?}");
}

#[tokio::test]
async fn the_lane_of_the_server_holds_all_handlers_so_marked() {
    let router = Router::new().handler(by_server).handler(by_server_too);
    let (running, shop) = fixture(router, Limits::default()).await;
    let mut clients = Vec::new();
    for number in 0..6 {
        let mut client = running.connect().await;
        let mtype = if number % 2 == 0 { NOTE } else { BRIEF };
        client.send(mtype, number.to_string()).await;
        let server = running.server.clone();
        let arrived = move || server.stats().types.iter().map(|of| of.in_flight).sum::<u64>();
        until(|| arrived() == number + 1).await;
        clients.push(client);
    }
    clients[5].expect_silence(50).await;
    assert_eq!(shop.busy(), 1);
    shop.gate.open(6);
    for client in &mut clients {
        assert_eq!(client.reply().await, "ok");
    }
    assert_eq!((shop.most(), shop.log.all()), (1, (0..6).map(|n| n.to_string()).collect()));
}

#[tokio::test]
async fn a_handler_that_is_stopped_leaves_its_lane() {
    let limits = Limits::default().handler_cap(ms(200));
    let (running, shop) = fixture(Router::new().handler(by_server), limits).await;
    let (mut one, mut two) = (running.connect().await, running.connect().await);
    assert!(one.ask(NOTE, "1").await.starts_with("TimeoutError("));
    shop.gate.open(1);
    assert_eq!(two.ask(NOTE, "2").await, "ok");
    assert_eq!(shop.log.all(), ["2"]);
}

#[tokio::test]
async fn a_message_can_be_acknowledged_before_it_is_handled() {
    let (running, shop) = fixture(Router::new().handler(early), Limits::default()).await;
    let mut client = running.connect().await;
    for text in ["1", "2", "3"] {
        assert_eq!(client.ask(NOTE, text).await, "ok");
    }
    until(|| shop.busy() == 3).await;
    assert_eq!(running.server.stats().of(Mtype::byte(NOTE)).unwrap().in_flight, 3);
    assert!(shop.log.all().is_empty());
    assert!(client.ask(NOTE, b"\xff").await.starts_with("UnicodeDecodeError("), "it must decode");
    drop(client);
    shop.gate.open(3);
    shop.log.reaches(3).await;
}

#[tokio::test]
async fn what_fails_behind_the_acknowledgement_is_counted() {
    let (running, _) = fixture(Router::new().handler(fails_later), Limits::default()).await;
    let mut client = running.connect().await;
    assert_eq!(client.ask(BRIEF, "no").await, "ok");
    assert_eq!(client.ask(BRIEF, "panic").await, "ok");
    let of_brief = || running.server.stats().of(Mtype::byte(BRIEF)).unwrap().clone();
    until(|| of_brief().in_flight == 0).await;
    assert_eq!((of_brief().count, of_brief().errors), (2, 2));
}

#[tokio::test]
async fn acknowledged_messages_that_wait_are_as_many_as_the_limit_says() {
    let limits = Limits::default().queued_messages(2);
    let (running, shop) = fixture(Router::new().handler(early), limits).await;
    let mut client = running.connect().await;
    assert_eq!(client.ask(NOTE, "1").await, "ok");
    assert_eq!(client.ask(NOTE, "2").await, "ok");
    client.send(NOTE, "3").await;
    client.expect_silence(150).await;
    shop.gate.open(1);
    assert_eq!(client.reply().await, "ok");
    shop.gate.open(2);
    shop.log.reaches(3).await;
}

#[tokio::test]
async fn messages_that_wait_do_not_use_up_the_permits_of_others() {
    let router = Router::new().handler(by_connection).handler(by_server_too);
    let limits = Limits::default().running_handlers(2);
    let (running, shop) = fixture(router, limits).await;
    let (mut one, mut two) = (running.connect().await, running.connect().await);
    for text in ["1", "2", "3", "4"] {
        assert_eq!(one.ask(NOTE, text).await, "ok");
    }
    two.send(BRIEF, "other").await;
    until(|| shop.busy() == 2).await;
    shop.gate.open(5);
    assert_eq!(two.reply().await, "ok");
    shop.log.reaches(5).await;
}

#[tokio::test]
async fn acknowledged_messages_are_not_lost_when_the_server_stops() {
    let (mut running, shop) =
        fixture(Router::new().handler(by_connection), Limits::default()).await;
    let mut client = running.connect().await;
    for text in ["1", "2", "3"] {
        assert_eq!(client.ask(NOTE, text).await, "ok");
    }
    running.server.shutdown();
    assert_eq!(client.rest().await, "");
    assert!(shop.log.all().is_empty());
    shop.gate.open(3);
    running.ended().await.unwrap();
    assert_eq!(shop.log.all(), ["1", "2", "3"]);
}
