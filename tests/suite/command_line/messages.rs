//! A message of every type, from `dip send` to servers of both kinds.

use dip_tests::python::python;
use dip_tests::recording::{Recorded, Recording};
use serde_json::{Value, json};

use super::{Listening, sent};

pub(super) const ID: &str = "00000000-0000-0000-0000-00000dee9f03";

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
