//! The program `dip`, as a child process.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::vectors::from_tagged;
use dip::{Router, State, handler};
use dip_tests::process;
use dip_tests::python::python;
use dip_tests::recording::{Recorded, Recording};
use dip_tests::serving::{Over, serve};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::python_server::Phrase;
use crate::vectors::{Vector, load};

const LIMIT: Duration = Duration::from_secs(30);

fn dip() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dip_command"));
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs `dip` to its end.
async fn dip_with(arguments: &[&str]) -> Output {
    let output = timeout(LIMIT, dip().args(arguments).output());
    output.await.expect("it ends").unwrap()
}

/// A running `dip listen`, whose output goes to a file: what is there has been flushed.
struct Listening {
    child: Child,
    /// Where it says it listens.
    address: String,
    directory: TempDir,
}

impl Listening {
    async fn on(address: &str, options: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut child = dip()
            .current_dir(&directory)
            .args(["listen", address])
            .args(options)
            .stdout(File::create(directory.path().join("lines")).unwrap())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = timeout(LIMIT, errors.next_line()).await.expect("it begins").unwrap().unwrap();
        let address = line.strip_prefix("dip: listening on ").expect(&line).to_owned();
        // What it says later is read to its end, so that it never waits.
        tokio::spawn(async move { while let Ok(Some(_)) = errors.next_line().await {} });
        Self { child, address, directory }
    }

    async fn on_a_path(options: &[&str]) -> (Self, UnixStream) {
        let listening = Self::on("socket", options).await;
        let stream = UnixStream::connect(listening.path()).await.unwrap();
        (listening, stream)
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    /// What it has printed.
    fn lines(&self) -> Vec<Value> {
        let lines = std::fs::read_to_string(self.directory.path().join("lines")).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Its exit code after this signal.
    async fn end(&mut self, signal: Signal) -> Option<i32> {
        let pid = Pid::from_raw(self.child.id().unwrap().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
        timeout(LIMIT, self.child.wait()).await.expect("it ends").unwrap().code()
    }
}

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

#[tokio::test]
async fn wrong_arguments_are_told_apart_from_failures() {
    let cases: &[(&[&str], i32, &str)] = &[
        (&[], 2, "Usage:"),
        (&["serve"], 2, "unrecognized subcommand 'serve'"),
        (&["listen"], 2, "<ADDRESS>"),
        (&["listen", "socket", "--hx"], 2, "'--hx'"),
        (&["listen", "localhost:7000"], 2, "accepted are PATH, unix:PATH and tcp:HOST:PORT"),
        (&["listen", "tcp:localhost:x"], 2, "0 to 65535"),
        (&["listen", "socket", "--wire", "native"], 2, "classic"),
        (&["listen", "/no/such/directory/socket"], 1, "/no/such/directory"),
    ];
    assert!(!Path::new("/no/such/directory").exists());
    for (arguments, code, says) in cases {
        let output = dip_with(arguments).await;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(*code), "{arguments:?}: {errors}");
        assert!(errors.contains(says), "{arguments:?}: {errors}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

/// The messages of every type that JSON can express: what is sent, what a server of the package is
/// given, and what `dip listen` prints.
fn messages() -> Vec<(&'static str, &'static str, &'static str, Value)> {
    let big = || json!({"$type": "int", "dec": "1180591620717411303424"});
    let pickled = json!({"$type": "dict", "items": [
        ["z", {"$type": "tuple", "items": [1, {"$type": "bytes", "hex": "7800ff"}]}],
        [{"$type": "frozenset", "items": []}, {"$type": "set", "items": [1]}],
        [null, {"$type": "float", "repr": "nan"}],
    ]});
    vec![
        ("O", r#""你好 😀\u0000\r\n""#, r"'你好 😀\x00\r\n'", json!("你好 😀\0\r\n")),
        ("E", r#""Traceback…\n""#, r"'Traceback…\n'", json!("Traceback…\n")),
        (
            "P",
            r#"{"$type": "dict", "items": [
                ["z", {"$type": "tuple", "items": [1, {"$type": "bytes", "hex": "7800ff"}]}],
                [{"$type": "frozenset", "items": []}, {"$type": "set", "items": [1]}],
                [null, {"$type": "float", "repr": "nan"}]]}"#,
            r"{'z': (1, b'x\x00\xff'), frozenset(): {1}, None: nan}",
            pickled,
        ),
        ("P", "null", "None", json!(null)),
        (
            "J",
            r#"{"z": 1, "a": [null, true, {"n": 2}]}"#,
            "{'z': 1, 'a': [None, True, {'n': 2}]}",
            json!({"$type": "dict", "items": [["z", 1], ["a", [null, true, {"n": 2}]]]}),
        ),
        ("J", "1180591620717411303424", "1180591620717411303424", big()),
        (
            "J",
            r#"[{"$type": "int", "dec": "1180591620717411303424"}]"#,
            "[1180591620717411303424]",
            json!([big()]),
        ),
        ("J", "[NaN]", "[nan]", json!([{"$type": "float", "repr": "nan"}])),
        ("J", "-7", "-7", json!(-7)),
        ("H", r#"{"header": "标题"}"#, "{'header': '标题'}", json!({"header": "标题"})),
        (
            "o",
            r#"{"subtask_out": "line\n", "arg": "x=1"}"#,
            r"{'subtask_out': 'line\n', 'arg': 'x=1'}",
            json!({"arg": "x=1", "subtask_out": "line\n"}),
        ),
        (
            "e",
            r#"{"subtask_err": "失败 💥"}"#,
            "{'subtask_err': '失败 💥'}",
            json!({"subtask_err": "失败 💥"}),
        ),
        (
            "U",
            r#"[{"task": "t1", "done": 7}, "two"]"#,
            "[{'task': 't1', 'done': 7}, 'two']",
            json!([{"$type": "dict", "items": [["task", "t1"], ["done", 7]]}, "two"]),
        ),
        ("I", "[1, null]", "[1, None]", json!([1, null])),
    ]
}

const ID: &str = "00000000-0000-0000-0000-00000dee9f03";

/// What `dip send` ends with: its exit code, and what it says.
async fn send(arguments: &[&str]) -> (i32, String) {
    let output = dip_with(&[&["send"], arguments].concat()).await;
    assert!(output.stdout.is_empty(), "{arguments:?}");
    let errors = String::from_utf8(output.stderr).unwrap();
    (output.status.code().expect("no signal ended it"), errors)
}

/// It was acknowledged.
async fn sent(arguments: &[&str]) {
    assert_eq!(send(arguments).await, (0, String::new()), "{arguments:?}");
}

/// It was not; the text tells why.
async fn fails(arguments: &[&str], code: i32, says: &str) {
    let (actual, errors) = send(arguments).await;
    assert_eq!(actual, code, "{arguments:?}: {errors}");
    assert!(errors.contains(says), "{arguments:?}: {errors}");
}

#[tokio::test]
async fn send_brings_each_type_to_a_server_of_the_package() {
    let Some(python) = python() else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let mut server = Recording::start(python, &path, false).await;
    let address = path.to_str().unwrap();
    for (mtype, value, repr, _) in messages() {
        sent(&[address, mtype, value, "--id", ID]).await;
        let expected =
            Recorded { id: Some(ID.into()), mtype: mtype.parse().unwrap(), value: repr.into() };
        assert_eq!(server.next().await, expected);
    }
    sent(&[address, "0x4f", "\"x\"", "--no-id"]).await;
    let expected = Recorded { id: None, mtype: 'O', value: "'x'".into() };
    assert_eq!(server.next().await, expected);
    sent(&[&format!("unix:{address}"), "O", "\"x\""]).await;
    assert!(server.next().await.id.is_some_and(|id| id != ID), "a random one");
}

#[tokio::test]
async fn listen_prints_what_send_sends() {
    let listening = Listening::on("socket", &[]).await;
    let path = listening.path();
    let address = path.to_str().unwrap();
    let mut expected = Vec::new();
    for (mtype, value, _, line) in messages() {
        let number = mtype.as_bytes()[0];
        sent(&[address, mtype, value, "--id", ID]).await;
        expected.push(json!({"id": ID, "mtype": number, "mtype_chr": mtype, "value": line}));
    }
    sent(&[address, "J", "[]", "--no-id"]).await;
    expected.push(json!({"id": null, "mtype": 74, "mtype_chr": "J", "value": []}));
    assert_eq!(listening.lines(), expected);
}

#[tokio::test]
async fn send_refuses_an_empty_body_before_it_is_sent() {
    let listening = Listening::on("socket", &[]).await;
    let path = listening.path();
    let address = path.to_str().unwrap();
    let cases: [&[&str]; 5] =
        [&["D", "{}"], &["H", "{}"], &["O", "\"\""], &["U", "[]"], &["D", "", "--hex"]];
    for arguments in cases {
        fails(&[&[address], arguments].concat(), 1, "its body is empty").await;
    }
    assert_eq!(listening.lines(), Vec::<Value>::new());
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
    for (time, seconds) in [("300ms", 0.3), ("1.2s", 1.2)] {
        let begun = Instant::now();
        let arguments = [address, "O", "\"x\"", "--no-id", "--timeout", time];
        fails(&arguments, 1, "no answer in time: the message may have been handled").await;
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
        (&["localhost:7000", "O", "1"], "accepted are PATH, unix:PATH and tcp:HOST:PORT"),
        (&[address, "OO", "1"], "one ASCII character or 0xNN"),
        (&[address, "é", "1"], "one ASCII character or 0xNN"),
        // Cut to a byte, its number is that of J.
        (&[address, "\u{44a}", "1"], "one ASCII character or 0xNN"),
        (&[address, "", "1"], "one ASCII character or 0xNN"),
        (&[address, "0x100", "1"], "one ASCII character or 0xNN"),
        (&[address, "0x+f", "1", "--raw"], "one ASCII character or 0xNN"),
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
