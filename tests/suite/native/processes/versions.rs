//! Two programs were built from different versions of a message: it is refused by name, no other is.

use dip::{CallError, Client, Code, Protocol, Reason, Router, handler};
use dip_tests::process::Program;
use dip_tests::versions::{CallBack, Kept};
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::super::raw::{ERROR, REPLY, REQUEST, Raw, frame, preface};

/// The server knows no `stars`.
#[derive(Debug, Serialize, Deserialize, Protocol)]
#[mtype("versions.note")]
struct Note {
    text: String,
    stars: u8,
}

/// To the server `id` is any JSON.
#[derive(Debug, Serialize, Deserialize, Protocol)]
#[mtype("versions.form")]
#[protocol(codec = json, reply = String)]
struct Form {
    id: u32,
}

#[handler(group = "versions")]
async fn note(note: Note) {
    panic!("misread: {} {}", note.text, note.stars);
}

#[handler(group = "versions")]
async fn kept(Kept(number): Kept) -> u64 {
    number
}

/// A server that was built earlier.
struct Older {
    path: std::path::PathBuf,
    _program: Program,
    _directory: tempfile::TempDir,
}

impl Older {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let mut program = Program::start(Command::new(env!("CARGO_BIN_EXE_older")).arg(&path));
        assert_eq!(program.line().await, "ready");
        Self { path, _program: program, _directory: directory }
    }

    async fn client(&self) -> Client {
        let router = Router::group("versions");
        Client::builder(&self.path).router(router).connect().await.unwrap()
    }
}

#[tokio::test]
async fn another_version_of_a_message_is_not_sent_and_all_others_go_on() {
    let older = Older::start().await;
    let client = older.client().await;
    let note = Note { text: "new".into(), stars: 5 };
    for sent in [client.send(&note).await, client.notify(&note).await] {
        let Err(CallError::NotSent(Reason::SchemaMismatch { mtype, name })) = sent else {
            panic!("{sent:?}");
        };
        assert_eq!(mtype, Note::MTYPE);
        assert!(name.ends_with("::Note"), "{name}");
    }
    assert_eq!(client.call(&Kept(7)).await.unwrap(), 7);
}

#[tokio::test]
async fn json_with_the_same_names_and_other_types_goes_through() {
    let older = Older::start().await;
    let client = older.client().await;
    assert_eq!(client.call(&Form { id: 12 }).await.unwrap(), "12");
}

#[tokio::test]
async fn a_server_does_not_send_its_version_to_a_client_with_another() {
    let older = Older::start().await;
    let said = older.client().await.call(&CallBack).await.unwrap();
    assert!(said.contains("NotSent(SchemaMismatch") && said.contains("older::Note"), "{said}");
    assert!(said.ends_with(", Ok(8)"), "{said}");
}

#[tokio::test]
async fn another_version_that_is_sent_all_the_same_is_refused_by_name() {
    let older = Older::start().await;
    let number = |mtype: dip::Mtype| mtype.number();
    let mut raw = Raw::connect_as(&older.path, &hello(number(Note::MTYPE))).await;
    raw.write(&frame(REQUEST, 1, number(Note::MTYPE), b"\x03new\x05")).await;
    let refused = raw.next_of(ERROR).await;
    assert_eq!(refused.call, 1);
    assert_eq!(refused.body[..3], [0, Code::SchemaMismatch.number() as u8, 0], "not handled");
    let text = String::from_utf8_lossy(&refused.body);
    assert!(text.contains("different versions of `older::Note`"), "{text}");
    raw.write(&frame(REQUEST, 3, number(Kept::MTYPE), &[9])).await;
    assert_eq!(raw.next_of(REPLY).await.body, [9], "the connection goes on");
}

/// A HELLO that knows one type, of a schema that nobody else has.
fn hello(mtype: u32) -> Vec<u8> {
    let instance = [&[2, 0, 0, 0, 16][..], &[7; 16]].concat();
    let types = [&[0x0a, 0, 0, 0, 12][..], &mtype.to_be_bytes(), &[1; 8]].concat();
    let algorithm = [0x0f, 0, 0, 0, 2, 0, 1];
    preface(5, &[b"dip\0\x01\x01\0\0", &instance[..], &types, &algorithm].concat())
}
