//! Python programs and programs of dip, side by side.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dip::builtin::Stdout;
use dip::{Client, Router, State, Wire, handler};
use dip_tests::python::python;
use dip_tests::recording::Recording;
use dip_tests::serving::{Over, serve};
use dip_tests::versions::Kept;
use serde_json::json;

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

#[handler(group = "both wires")]
async fn stdout(Stdout(text): Stdout, State(heard): State<Heard>) {
    heard.0.lock().unwrap().push(text);
}

#[handler(group = "both wires")]
async fn kept(Kept(number): Kept) -> u64 {
    number
}

#[tokio::test]
async fn a_python_worker_and_a_client_of_dip_share_a_listener() {
    let Some(python) = python() else { return };
    let (heard, router) = (Heard::default(), Router::group("both wires"));
    let options = heard.clone();
    let serving = serve(Over::Unix, |server| server.router(router).state(options)).await;
    let client = Client::connect(serving.address.as_str()).await.unwrap();
    let input = json!({"address": serving.address, "messages": vec![("O", "'snake'"); 50]});
    let worker = python.run::<Vec<String>>("send.py", &input, Duration::from_secs(30));
    let calls = async {
        for number in 0..50 {
            assert_eq!(client.call(&Kept(number)).await.unwrap(), number);
            client.send(&Stdout("crab".into())).await.unwrap();
        }
    };
    let (answers, ()) = tokio::join!(worker, calls);
    assert_eq!(client.wire(), Wire::Native);
    assert_eq!(answers, vec!["ok"; 50]);
    let heard = heard.0.lock().unwrap();
    for text in ["snake", "crab"] {
        assert_eq!(heard.iter().filter(|heard| *heard == text).count(), 50, "{text}");
    }
}

#[tokio::test]
async fn clients_of_a_python_server_fall_back_to_its_wire() {
    let Some(python) = python() else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let mut server = Recording::start(python, &path, false).await;
    for text in ["first", "second"] {
        let client = Client::connect(&path).await.unwrap();
        assert_eq!(client.wire(), Wire::Classic);
        client.send(&Stdout(text.into())).await.unwrap();
        assert_eq!(server.next().await.value, format!("'{text}'"));
    }
}

/// The error of a Python server that does not know the type of the greeting.
const PROBED: &str = "No protocol found in registry for message type: 5";

/// Sends a text by a client of its own, over a wire or whichever the server speaks.
async fn say(path: &Path, wire: Option<Wire>) {
    let builder = Client::builder(path);
    let builder = match wire {
        Some(wire) => builder.wire(wire),
        None => builder,
    };
    let client = builder.connect().await.unwrap();
    client.send(&Stdout("hello".into())).await.unwrap();
    client.close().await.unwrap();
}

#[tokio::test]
async fn a_python_server_logs_one_error_for_all_clients_of_a_process_that_ask_for_its_wire() {
    let Some(python) = python() else { return };
    let directory = tempfile::tempdir().unwrap();
    // What was found out at one address is not known of another.
    for name in ["one", "other"] {
        let path = directory.path().join(name);
        let server = Recording::start_logging(python, &path).await;
        say(&path, None).await;
        let (second, third) = (say(&path, None), say(&path, None));
        tokio::join!(second, third);
        let errors = server.errors().await;
        assert!(matches!(&errors[..], [error] if error.contains(PROBED)), "{errors:#?}");
    }
}

#[tokio::test]
async fn a_python_server_that_is_not_asked_for_its_wire_logs_no_error() {
    let Some(python) = python() else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let server = Recording::start_logging(python, &path).await;
    say(&path, Some(Wire::Classic)).await;
    say(&path, Some(Wire::Classic)).await;
    assert_eq!(server.errors().await, [""; 0]);
}
