//! Calls on the native wire: typed replies, declared errors as values, refusals, many at once, and one
//! that nobody waits for any more.
//!
//! ```text
//! cargo run --example calls
//! ```

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dip::{CallError, Client, Code, Protocol, Rejection, Server, State, Wire, handler};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

// The messages: the contract of the two sides.

/// A name instead of a byte: as many types as there are names, on the native wire only.
#[derive(Serialize, Deserialize, Protocol)]
#[mtype("shop.price")]
#[protocol(reply = Price, error = PriceError)]
struct PriceOf {
    article: String,
    pieces: u32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Price {
    cents: u64,
}

/// What may go wrong, as a value that both sides know.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum PriceError {
    UnknownArticle,
    TooFew { in_stock: u32 },
}

impl fmt::Display for PriceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownArticle => f.write_str("there is no such article"),
            Self::TooFew { in_stock } => write!(f, "only {in_stock} are left"),
        }
    }
}

impl std::error::Error for PriceError {}

#[derive(Serialize, Deserialize, Protocol)]
#[mtype("shop.discount")]
#[protocol(reply = u8)]
struct Discount {
    code: String,
}

#[derive(Serialize, Deserialize, Protocol)]
#[mtype("shop.square")]
#[protocol(reply = u64)]
struct Square(u64);

#[derive(Serialize, Deserialize, Protocol)]
#[mtype("shop.wait")]
struct Wait;

// The handlers.

#[handler]
async fn price_of(PriceOf { article, pieces }: PriceOf) -> Result<Price, PriceError> {
    match &*article {
        "bolt" if pieces > 500 => Err(PriceError::TooFew { in_stock: 500 }),
        "bolt" => Ok(Price { cents: 12 * u64::from(pieces) }),
        _ => Err(PriceError::UnknownArticle),
    }
}

/// No error is declared: `?` and `Rejection` refuse in words.
#[handler]
async fn discount(Discount { code }: Discount) -> Result<u8, Rejection> {
    let percent = code.strip_prefix("MINUS-").ok_or_else(|| Rejection::new("no such code"))?;
    Ok(percent.parse()?)
}

/// The first ones take longest: the replies come back in another order than the calls went.
#[handler]
async fn square(Square(number): Square) -> u64 {
    tokio::time::sleep(Duration::from_millis(100 - number.min(100))).await;
    number * number
}

/// Tells the program what has become of the handler that waits.
#[derive(Clone, Default)]
struct Watch {
    started: Arc<Notify>,
    stopped: Arc<Notify>,
}

#[handler]
async fn wait(_: Wait, State(watch): State<Watch>) {
    let _stopped = NotifyOnDrop(watch.stopped);
    watch.started.notify_one();
    std::future::pending::<()>().await;
}

struct NotifyOnDrop(Arc<Notify>);

impl Drop for NotifyOnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[tokio::main]
async fn main() -> dip::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("shop.sock");
    let watch = Watch::default();
    let bound = Server::builder(&path).state(watch.clone()).bind().await?;
    let server = bound.server();
    tokio::spawn(bound.run());

    let shop = Client::connect(&path).await?;
    assert_eq!(shop.wire(), Wire::Native);

    // A reply is a value of the type that the message declares.
    let price = shop.call(&PriceOf { article: "bolt".into(), pieces: 100 }).await?;
    assert_eq!(price, Price { cents: 1200 });
    println!("100 bolts: {} cents", price.cents);

    // So is a declared error: it is there to be matched.
    for (article, pieces) in [("bolt", 501), ("nut", 1)] {
        match shop.call(&PriceOf { article: article.into(), pieces }).await {
            Err(CallError::App(PriceError::TooFew { in_stock })) if article == "bolt" => {
                assert_eq!(in_stock, 500);
                println!("{pieces} bolts: {in_stock} in stock");
            }
            Err(CallError::App(error)) if error == PriceError::UnknownArticle => {
                println!("{pieces} nut: {error}");
            }
            other => panic!("{other:?}"),
        }
    }

    // Any other refusal arrives in words, with a code, and with whether a handler has seen it.
    let percent = shop.call(&Discount { code: "MINUS-15".into() }).await?;
    assert_eq!(percent, 15);
    println!("MINUS-15: {percent} percent off");
    for code in ["PLUS-15", "MINUS-much"] {
        match shop.call(&Discount { code: code.into() }).await {
            Err(CallError::Rejected(remote)) => {
                assert!(remote.code == Code::Rejected && remote.may_have_run());
                println!("{code}: {}", remote.text);
            }
            other => panic!("{other:?}"),
        }
    }

    // Any number of calls share one connection, and each gets its own reply.
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..100 {
        let shop = shop.clone();
        calls.spawn(async move { (number, shop.call(&Square(number)).await) });
    }
    let mut order = Vec::new();
    while let Some(call) = calls.join_next().await {
        let (number, reply) = call.map_err(std::io::Error::other)?;
        assert_eq!(reply?, number * number);
        order.push(number);
    }
    let connections = server.stats().accepted;
    assert_eq!(connections, 1);
    println!("{} calls at once, {connections} connection", order.len());
    assert!(!order.is_sorted(), "nobody waited for the slow ones");

    // A call that is dropped is given up on the other side, too.
    let call = shop.send(&Wait);
    tokio::select! {
        reply = call => panic!("it waits for ever: {reply:?}"),
        () = watch.started.notified() => println!("a call: its handler has started"),
    }
    watch.stopped.notified().await;
    println!("the call is dropped: its handler is stopped");

    shop.close().await
}
