//! A process sends and leaves: nothing is lost.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use dip::{Router, State, handler};
use dip_tests::leaving::Parting;
use dip_tests::process::run;
use dip_tests::serving::{Over, serve};
use tokio::process::Command;

use super::until;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u64>>>);

#[handler(group = "leaving")]
async fn parting(Parting { number }: Parting, State(log): State<Log>) {
    log.0.lock().unwrap().push(number);
    if number.is_multiple_of(64) {
        // Some take longer than the process lives.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// How many messages: more than the window for one-way ones lets through at once.
const COUNT: u64 = 3000;

async fn all_arrive(over: Over, flavour: &str, way: &str, end: &str) {
    let log = Log::default();
    let options = log.clone();
    let serving =
        serve(over, |server| server.router(Router::group("leaving")).state(options)).await;
    let mut leaver = Command::new(env!("CARGO_BIN_EXE_leaver"));
    leaver.args([&serving.address, flavour, way, end]).arg(COUNT.to_string());
    run(&mut leaver, b"", Duration::from_secs(30)).await;
    let what = format!("all arrive: {flavour} {way} {end}");
    if way == "send" {
        assert_eq!(log.0.lock().unwrap().len() as u64, COUNT, "{what}");
    }
    until(&what, async || log.0.lock().unwrap().len() as u64 == COUNT).await;
    let mut numbers = log.0.lock().unwrap().clone();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..COUNT), "each once: {what}");
}

macro_rules! leaving {
    ($($name:ident: $way:literal $end:literal,)*) => {$(
        #[tokio::test]
        async fn $name() {
            for flavour in ["one", "many"] {
                all_arrive(Over::Unix, flavour, $way, $end).await;
            }
            all_arrive(Over::Tcp, "many", $way, $end).await;
        }
    )*};
}

leaving! {
    what_was_sent_before_close_has_arrived: "send" "close",
    what_was_notified_before_close_arrives: "notify" "close",
    what_was_sent_has_arrived_though_the_client_is_only_dropped: "send" "drop",
    what_was_notified_arrives_though_the_client_is_only_dropped: "notify" "drop",
    what_was_sent_has_arrived_though_the_client_is_never_dropped: "send" "leak",
    what_was_notified_arrives_though_the_client_is_never_dropped: "notify" "leak",
}
