//! `dip send`: what a server is sent, and what is said of its answer.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use dip::{Bytes, Protocol, Router, State, handler};
use dip_tests::process;
use dip_tests::python::python;
use dip_tests::recording::Recording;
use dip_tests::serving::{Over, serve};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::UnixListener;

use super::messages::ID;
use super::{LIMIT, Listening, dip, dip_with, fails, sent};
use crate::python_server::Phrase;

#[tokio::test]
async fn send_keeps_integers_of_any_size_and_the_order_of_keys() {
    let (listening, _stream) = Listening::on_a_path(&["--hex"]).await;
    let path = listening.path();
    let json =
        r#"{"b": 1180591620717411303424, "a": {"$type": "nested_list", "depth": 2, "leaf": 1}}"#;
    let output = dip_with(&["send", path.to_str().unwrap(), "J", json]).await;
    assert!(output.status.success(), "{output:?}");
    let body = br#"{"b": 1180591620717411303424, "a": [[1]]}"#;
    let hex: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(listening.lines()[0]["body_hex"], hex);
}

#[tokio::test]
async fn send_says_what_is_wrong_with_a_value() {
    for (mtype, value, hint) in [
        ("O", "hello", r#"quote a text: '"hello"', or use --raw"#),
        ("D", r#"{"a": "b"}"#, "type D has no fields"),
        ("J", r#"{"$type": "nested_list", "depth": 1001, "leaf": 1}"#, "the depth of the $type"),
    ] {
        let output = dip_with(&["send", "socket", mtype, value]).await;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains(hint), "{errors}");
    }
}

#[tokio::test]
async fn send_refuses_an_empty_body_on_the_classic_wire_only() {
    let listening = Listening::on("socket", &[]).await;
    let path = listening.path();
    let address = path.to_str().unwrap();
    let cases: [&[&str]; 5] =
        [&["D", "{}"], &["H", "{}"], &["O", "\"\""], &["U", "[]"], &["D", "", "--hex"]];
    for arguments in cases {
        let classic = [&[address], arguments, &["--wire", "classic"]].concat();
        fails(&classic, 1, "its body is empty").await;
    }
    assert_eq!(listening.lines(), Vec::<Value>::new());
    for arguments in cases {
        sent(&[&[address], arguments].concat()).await;
    }
    assert_eq!(listening.lines().len(), cases.len());
}

#[tokio::test]
async fn send_says_what_the_server_replied() {
    let listening = Listening::on("socket", &[]).await;
    let path = listening.path();
    let address = path.to_str().unwrap();
    let field = "ProtoDecodeError('Field index 0 exceeds max length (0).')";
    let unknown = "UnsupportedProtoError('No protocol found in registry for message type: 115')";
    let directory = tempfile::tempdir().unwrap();
    let mut addresses = vec![address.to_owned()];
    let mut server = None;
    if let Some(python) = python() {
        let path = directory.path().join("socket");
        server = Some(Recording::start(python, &path, false).await);
        addresses.push(path.to_str().unwrap().to_owned());
    }
    for address in &addresses {
        fails(&[address, "D", "00000000000178", "--hex"], 1, field).await;
        fails(&[address, "s", "h", "--raw"], 1, unknown).await;
        fails(&[address, "J", "{", "--raw"], 1, "JSONDecodeError(").await;
    }
    assert_eq!(listening.lines(), Vec::<Value>::new());
    drop(server);
}

#[derive(Clone, Default)]
struct Phrases(Arc<Mutex<Vec<String>>>);

#[handler(group = "phrases")]
async fn phrase(Phrase(text): Phrase, State(phrases): State<Phrases>) {
    phrases.0.lock().unwrap().push(text);
}

#[tokio::test]
async fn send_brings_a_custom_type_to_whoever_handles_it() {
    let phrases = Phrases::default();
    let serving =
        serve(Over::Tcp, |server| server.router(Router::group("phrases")).state(phrases.clone()))
            .await;
    sent(&[&serving.address, "s", "h", "--raw"]).await;
    sent(&[&serving.address, "0x73", "68", "--hex"]).await;
    assert_eq!(*phrases.0.lock().unwrap(), ["Hello World"; 2]);
    fails(&[&serving.address, "s", "?", "--raw"], 1, "no phrase has this code").await;
    fails(&[&serving.address, "s", "\"h\""], 2, "needs --raw or --hex").await;

    let Some(python) = python() else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let mut server = Recording::start(python, &path, true).await;
    sent(&[path.to_str().unwrap(), "s", "h", "--raw"]).await;
    assert_eq!(server.next().await.value, "'Hello World'");
}

#[derive(Serialize, Deserialize, Protocol)]
#[mtype("command_line.named")]
#[protocol(codec = text)]
struct Named(String);

#[handler(group = "named")]
async fn named(Named(text): Named, State(phrases): State<Phrases>) {
    phrases.0.lock().unwrap().push(text);
}

#[tokio::test]
async fn send_brings_a_type_with_a_name_over_the_native_wire() {
    let phrases = Phrases::default();
    let serving =
        serve(Over::Tcp, |server| server.router(Router::group("named")).state(phrases.clone()))
            .await;
    let message = [&serving.address, "command_line.named", "hello", "--raw"];
    sent(&message).await;
    sent(&[&message[..], &["--wire", "native"]].concat()).await;
    let byte = "on which a type is a byte, not a name";
    fails(&[&message[..], &["--wire", "classic"]].concat(), 1, byte).await;
    assert_eq!(*phrases.0.lock().unwrap(), ["hello"; 2]);
}

/// Is answered with its bytes, the other way round.
#[derive(Protocol)]
#[mtype("command_line.reverse")]
#[protocol(codec = raw, reply = Bytes, reply_codec = raw)]
struct Reverse(Bytes);

#[handler(group = "named")]
async fn reverse(Reverse(bytes): Reverse) -> Bytes {
    bytes.iter().rev().copied().collect()
}

#[tokio::test]
async fn send_prints_a_reply_as_it_was_told_to_send_the_message() {
    let serving =
        serve(Over::Tcp, |server| server.router(Router::group("named")).state(Phrases::default()))
            .await;
    for (value, option, printed) in
        [("abc", "--raw", &b"cba"[..]), ("61ff", "--hex", b"ff61\n"), ("", "--raw", b"")]
    {
        let output =
            dip_with(&["send", &serving.address, "command_line.reverse", value, option]).await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(output.stdout, printed);
    }
    sent(&[&serving.address, "command_line.named", "no reply", "--raw"]).await;
}

#[tokio::test]
async fn send_speaks_no_other_wire_than_it_is_told() {
    for (server, client, says) in [
        ("classic", "native", "the server speaks the classic wire only"),
        ("native", "classic", "this server does not speak the classic wire"),
    ] {
        let listening = Listening::on("socket", &["--wire", server]).await;
        let path = listening.path();
        let arguments = [path.to_str().unwrap(), "O", "\"x\"", "--wire"];
        fails(&[&arguments[..], &[client]].concat(), 1, says).await;
        assert_eq!(listening.lines(), Vec::<Value>::new());
        sent(&[&arguments[..], &[server]].concat()).await;
        sent(&arguments[..3]).await;
        assert_eq!(listening.lines().len(), 2);
    }
}

#[tokio::test]
async fn send_reads_the_value_from_a_file_or_its_standard_input() {
    let listening = Listening::on("socket", &[]).await;
    let path = listening.path();
    let address = path.to_str().unwrap();
    let file = listening.directory.path().join("value");
    let at_file = format!("@{}", file.display());
    let values = || listening.lines().into_iter().map(|line| line["value"].clone());
    std::fs::write(&file, "[1,\n \"@\"]\n").unwrap();

    sent(&[address, "J", &at_file]).await;
    sent(&[address, "O", &at_file, "--raw"]).await;
    std::fs::write(&file, "5b 5d\n").unwrap();
    fails(&[address, "J", &at_file, "--hex"], 2, "--hex wants pairs").await;
    std::fs::write(&file, "5B5d\n").unwrap();
    sent(&[address, "J", &at_file, "--hex"]).await;
    let input = "\"标题\n\"".replace('\n', "\\n");
    for (options, input) in [(&[][..], input.as_bytes()), (&["--raw"], "标题\n".as_bytes())] {
        let mut command = dip();
        command.args(["send", address, "E", "-"]).args(options);
        process::run(&mut command, input, LIMIT).await;
    }

    let expected = [json!([1, "@"]), "[1,\n \"@\"]\n".into(), json!([]), "标题\n".into()];
    assert_eq!(values().collect::<Vec<_>>(), [&expected[..], &["标题\n".into()]].concat());
    fails(&[address, "J", "@/no/such/file"], 2, "cannot read /no/such/file").await;
}

#[tokio::test]
async fn send_waits_as_long_as_it_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let _silent = UnixListener::bind(&path).unwrap();
    let address = path.to_str().unwrap();
    let sent = "no answer in time: the message may have been handled";
    for (time, seconds, wire, says) in [
        ("300ms", 0.3, &["--wire", "classic"][..], sent),
        ("1.2s", 1.2, &["--wire", "classic"], sent),
        // Which wire the server speaks, it does not say either.
        ("300ms", 0.3, &[], "did not take the connection in time"),
    ] {
        let begun = Instant::now();
        let arguments = [address, "O", "\"x\"", "--no-id", "--timeout", time];
        fails(&[&arguments, wire].concat(), 1, says).await;
        let took = begun.elapsed().as_secs_f64();
        assert!((seconds..seconds + 2.0).contains(&took), "{time}: {took} s");
    }
}

#[tokio::test]
async fn send_without_a_server_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    fails(&[path.to_str().unwrap(), "O", "\"x\""], 1, "start the server first").await;
}

#[tokio::test]
async fn wrong_arguments_of_send_are_told_before_it_connects() {
    let address = "/no/such/directory/socket";
    let cases: &[(&[&str], &str)] = &[
        (&[], "<ADDRESS>"),
        (&[address, "O"], "<VALUE>"),
        (&["localhost:7000", "O", "1"], "accepted are PATH, unix:PATH, tcp:HOST:PORT"),
        (&[address, "OO", "1"], "one ASCII character, 0xNN, or a name"),
        (&[address, "é", "1"], "one ASCII character, 0xNN, or a name"),
        // Cut to a byte, its number is that of J.
        (&[address, "\u{44a}", "1"], "one ASCII character, 0xNN, or a name"),
        (&[address, "", "1"], "one ASCII character, 0xNN, or a name"),
        (&[address, "0x100", "1"], "one ASCII character, 0xNN, or a name"),
        (&[address, "0x+f", "1", "--raw"], "one ASCII character, 0xNN, or a name"),
        (&[address, "0x", "1", "--raw"], "one ASCII character, 0xNN, or a name"),
        (&[address, "jobs.tail", "1"], "a message whose type has a name needs --raw or --hex"),
        (&[address, "J", "{"], "VALUE is not JSON"),
        (&[address, "J", "hello"], "VALUE is not JSON: Expecting value"),
        (&[address, "J", "{\"$type\": \"uuid\"}"], "no value is of the $type uuid"),
        (&[address, "J", "{\"$type\": \"bytes\", \"hex\": \"00\"}"], "VALUE: "),
        (&[address, "O", "1"], "VALUE: "),
        (&[address, "H", "{\"footer\": \"x\"}"], "Field 'footer' has not been registered"),
        (&[address, "U", "1"], "VALUE: "),
        (&[address, "Z", "1"], "a message of type 'Z' needs --raw or --hex"),
        (&[address, "0x1d", "\"x\""], "a message of type 0x1d needs --raw or --hex"),
        (&[address, "J", "5", "--hex"], "--hex wants pairs of 0-9 and a-f"),
        (&[address, "J", "+5", "--hex"], "--hex wants pairs of 0-9 and a-f"),
        (&[address, "J", "5", "--hex", "--raw"], "cannot be used with"),
        (&[address, "J", "5", "--id", ID, "--no-id"], "cannot be used with"),
        (&[address, "J", "5", "--id", "me"], "--id"),
        (&[address, "J", "5", "--timeout", "5"], "write a number and ms or s"),
        (&[address, "J", "5", "--timeout=-1s"], "write a number and ms or s"),
        (&[address, "J", "5", "--timeout=NaNs"], "write a number and ms or s"),
    ];
    for (arguments, says) in cases {
        fails(arguments, 2, says).await;
    }
}
