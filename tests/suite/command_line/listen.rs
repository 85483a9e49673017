//! `dip listen`: what a client is answered, and what is printed.

use std::process::Stdio;

use dip::builtin::Stdout;
use dip::{CallError, Client, Mtype, Wire};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::{LIMIT, Listening, dip, dip_with};
use crate::vectors::{Vector, from_tagged, load};

/// Sends a frame and returns the reply.
async fn ask(
    stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin),
    mtype: u8,
    body: &[u8],
) -> String {
    let header = [&[mtype][..], &(body.len() as u32).to_be_bytes()].concat();
    stream.write_all(&[&header, body].concat()).await.unwrap();
    let mut reply = [0; 4096];
    let len = timeout(LIMIT, stream.read(&mut reply)).await.expect("it answers").unwrap();
    String::from_utf8(reply[..len].to_vec()).unwrap()
}

#[tokio::test]
async fn listen_prints_each_message_before_it_acknowledges_it() {
    let (listening, mut stream) = Listening::on_a_path(&[]).await;
    for n in 0..50 {
        assert_eq!(ask(&mut stream, b'J', format!("[{n}]").as_bytes()).await, "ok");
        let lines = listening.lines();
        assert_eq!(lines.len(), n + 1);
        assert_eq!(lines[n], json!({"id": null, "mtype": 74, "mtype_chr": "J", "value": [n]}));
    }
}

#[tokio::test]
async fn listen_prints_the_id_that_a_client_claims_and_no_line_for_the_claim() {
    let (listening, mut stream) = Listening::on_a_path(&[]).await;
    let id = uuid::Uuid::from_u128(0xdee_9f03);
    assert_eq!(ask(&mut stream, 0x1d, id.as_bytes()).await, "ok");
    assert_eq!(ask(&mut stream, b'O', b"x").await, "ok");
    let line = json!({"id": id.to_string(), "mtype": 79, "mtype_chr": "O", "value": "x"});
    assert_eq!(listening.lines(), [line]);
}

#[tokio::test]
async fn listen_prints_the_bytes_with_hex() {
    let (listening, mut stream) = Listening::on_a_path(&["--hex"]).await;
    assert_eq!(ask(&mut stream, b'J', b"[ 1 ]").await, "ok");
    assert!(ask(&mut stream, b'J', b"[").await.starts_with("JSONDecodeError("));
    let line = json!({"id": null, "mtype": 74, "mtype_chr": "J", "body_hex": "5b2031205d"});
    assert_eq!(listening.lines(), [line]);
}

/// What dip refuses although the package reads it: text that a `String` can't hold, list elements that
/// are cut, and objects that only running a pickle would make.
fn refused(vector: &Vector) -> bool {
    let names = [
        "lone_surrogate",
        "J/text/escape_lone",
        "J/text/escape_swapped",
        "J/text/escape_high_",
        "/last_element_shorter_than_declared",
        "/length_ffffffff",
    ];
    let plain = ["set", "frozenset", "bytearray", "bytes", "encode"];
    let object = |name: &String| !plain.contains(&name.rsplit(' ').next().unwrap());
    names.iter().any(|part| vector.name.contains(part)) || vector.globals.iter().any(object)
}

#[tokio::test]
async fn listen_prints_every_golden_message_as_the_package_reads_it() {
    let (listening, mut stream) = Listening::on_a_path(&[]).await;
    let mut expected = Vec::new();
    for vector in load().vectors {
        let reply = ask(&mut stream, vector.mtype as u8, &vector.body()).await;
        assert_eq!(reply != "ok", refused(&vector), "{}: {reply}", vector.name);
        // Ids are not printed.
        if reply == "ok" && vector.mtype != 0x1d {
            expected.push(vector);
        }
    }
    let lines = listening.lines();
    assert_eq!(lines.len(), expected.len());
    assert!(lines.len() > 450, "{} lines", lines.len());
    for (line, vector) in lines.iter().zip(expected) {
        let name = &vector.name;
        assert_eq!(line["mtype"], vector.mtype, "{name}");
        assert_eq!(line["mtype_chr"].as_str().unwrap(), char::from(vector.mtype as u8).to_string());
        let value = vector.decoded.as_ref().unwrap_or(&vector.value);
        assert_eq!(from_tagged(&line["value"]).unwrap(), from_tagged(value).unwrap(), "{name}");
    }
}

#[tokio::test]
async fn listen_refuses_what_does_not_decode_and_prints_no_line_for_it() {
    let (listening, mut stream) = Listening::on_a_path(&[]).await;
    for vector in load().decode_errors {
        let reply = ask(&mut stream, vector.mtype as u8, &vector.body()).await;
        assert_ne!(reply, "ok", "{}", vector.name);
    }
    assert_eq!(listening.lines(), Vec::<Value>::new());
}

#[tokio::test]
async fn listen_acknowledges_any_type_when_told_to() {
    let unknown = "UnsupportedProtoError('No protocol found in registry for message type: 78')";
    let (listening, mut stream) = Listening::on_a_path(&[]).await;
    assert_eq!(ask(&mut stream, b'N', b"hi").await, unknown);
    assert_eq!(listening.lines(), Vec::<Value>::new());

    let (listening, mut stream) = Listening::on_a_path(&["--any"]).await;
    assert_eq!(ask(&mut stream, b'N', b"hi").await, "ok");
    let line = json!({"id": null, "mtype": 78, "mtype_chr": "N", "body_hex": "6869"});
    assert_eq!(listening.lines(), [line]);
}

#[tokio::test]
async fn listen_prints_what_comes_over_the_native_wire() {
    let listening = Listening::on("socket", &["--any"]).await;
    let client = Client::connect(listening.path()).await.unwrap();
    assert_eq!(client.wire(), Wire::Native);
    client.send_json("called").await.unwrap();
    client.notify(&Stdout("told".into())).await.unwrap();
    client.send_raw(Mtype::name("jobs.tail"), vec![0xff]).await.unwrap();
    client.close().await.unwrap();

    let lines = listening.lines();
    let id = lines[0]["id"].clone();
    assert!(id.is_string(), "{id}");
    let expected = [
        json!({"id": id, "mtype": 74, "mtype_chr": "J", "value": "called"}),
        json!({"id": id, "mtype": 79, "mtype_chr": "O", "value": "told"}),
        json!({"id": id, "mtype": 0xe6ef_511b_u32, "mtype_chr": null, "body_hex": "ff"}),
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn listen_prints_the_names_that_it_was_given_and_takes_their_types() {
    let names = ["--name", "jobs.tail", "--name", "jobs.head"];
    let listening = Listening::on("socket", &names).await;
    let client = Client::builder(listening.path()).id(None).connect().await.unwrap();
    let line = |name: &str, body: &str| {
        let number = Mtype::named(name).unwrap().number();
        json!({"id": null, "mtype": number, "mtype_chr": null, "mtype_name": name, "body_hex": body})
    };
    client.send_raw(Mtype::name("jobs.tail"), vec![0xff]).await.unwrap();
    client.send_raw(Mtype::name("jobs.head"), vec![0x01]).await.unwrap();
    let sent = client.send_raw(Mtype::name("jobs.body"), "x").await;
    assert!(
        matches!(&sent, Err(CallError::Rejected(remote)) if remote.class() == "UnsupportedProtoError")
    );
    assert_eq!(listening.lines(), [line("jobs.tail", "ff"), line("jobs.head", "01")]);
}

#[tokio::test]
async fn listen_prints_names_and_numbers_side_by_side_when_told_to_take_any() {
    let listening = Listening::on("socket", &["--any", "--name", "jobs.tail"]).await;
    let client = Client::connect(listening.path()).await.unwrap();
    for name in ["jobs.tail", "jobs.head"] {
        client.send_raw(Mtype::named(name).unwrap(), "x").await.unwrap();
    }
    client.send(&Stdout("x".into())).await.unwrap();
    let names: Vec<_> = listening.lines().iter().map(|line| line["mtype_name"].clone()).collect();
    assert_eq!(names, [json!("jobs.tail"), Value::Null, Value::Null]);
}

#[tokio::test]
async fn listen_knows_no_named_type_unless_told_to_take_any() {
    let listening = Listening::on("socket", &[]).await;
    let client = Client::connect(listening.path()).await.unwrap();
    let sent = client.send_raw(Mtype::name("jobs.tail"), "x").await;
    let Err(CallError::Rejected(remote)) = sent else { panic!("{sent:?}") };
    let unknown =
        "UnsupportedProtoError('No protocol found in registry for message type: 0xe6ef511b')";
    assert_eq!(remote.text, unknown);
    assert_eq!(listening.lines(), Vec::<Value>::new());
}

#[tokio::test]
async fn listen_on_the_native_wire_turns_classic_clients_away() {
    let (listening, mut stream) = Listening::on_a_path(&["--wire", "native"]).await;
    let answer = "ConnectionError('this server does not speak the classic wire')";
    assert_eq!(ask(&mut stream, b'O', b"x").await, answer);
    assert_eq!(listening.lines(), Vec::<Value>::new());

    let client = Client::connect(listening.path()).await.unwrap();
    client.send(&Stdout("x".into())).await.unwrap();
    assert_eq!(listening.lines().len(), 1);
}

#[tokio::test]
async fn listen_on_the_classic_wire_is_what_clients_fall_back_to() {
    let (listening, mut stream) = Listening::on_a_path(&["--wire", "classic"]).await;
    assert_eq!(ask(&mut stream, b'O', b"x").await, "ok");
    let client = Client::connect(listening.path()).await.unwrap();
    assert_eq!(client.wire(), Wire::Classic);
    client.send(&Stdout("x".into())).await.unwrap();
    assert_eq!(listening.lines().len(), 2);
}

#[tokio::test]
async fn listen_says_what_it_refuses_and_ends_when_nobody_reads_its_lines() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = dip()
        .current_dir(&directory)
        .args(["listen", "socket"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
    timeout(LIMIT, errors.next_line()).await.expect("it begins").unwrap();
    let mut stream = UnixStream::connect(directory.path().join("socket")).await.unwrap();
    assert_ne!(ask(&mut stream, b'J', b"[").await, "ok");
    let line = timeout(LIMIT, errors.next_line()).await.expect("it says so").unwrap().unwrap();
    assert!(line.starts_with("dip: refused type 'J', 1 bytes: JSONDecodeError('"), "{line}");

    drop(child.stdout.take());
    assert_ne!(ask(&mut stream, b'J', b"1").await, "ok");

    let status = timeout(LIMIT, child.wait()).await.expect("it ends").unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(!directory.path().join("socket").exists());
}

#[tokio::test]
async fn listen_ends_at_a_signal_and_removes_its_path() {
    for signal in [Signal::TERM, Signal::INT] {
        let (mut listening, mut stream) = Listening::on_a_path(&[]).await;
        assert_eq!(ask(&mut stream, b'O', b"x").await, "ok");
        assert!(listening.path().exists());

        assert_eq!(listening.end(signal).await, Some(0));

        assert!(!listening.path().exists());
        assert_eq!(listening.lines().len(), 1);
        assert_eq!(stream.read(&mut [0; 64]).await.unwrap(), 0, "the end of the stream");
    }
}

#[tokio::test]
async fn listen_says_who_listens_on_a_path_that_is_taken() {
    let (listening, _stream) = Listening::on_a_path(&[]).await;
    let output = dip_with(&["listen", listening.path().to_str().unwrap()]).await;
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.contains(&listening.child.id().unwrap().to_string()), "{errors}");
    assert!(listening.path().exists());
}

#[tokio::test]
async fn listen_serves_tcp_only_when_told_that_nobody_is_authenticated() {
    let output = dip_with(&["listen", "tcp:127.0.0.1:0"]).await;
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.contains("--insecure-no-auth"), "{errors}");

    let listening = Listening::on("tcp:127.0.0.1:0", &["--insecure-no-auth"]).await;
    let mut stream =
        TcpStream::connect(listening.address.trim_start_matches("tcp:")).await.unwrap();
    assert_eq!(ask(&mut stream, b'E', b"x").await, "ok");
    assert_eq!(listening.lines()[0]["value"], "x");
}
