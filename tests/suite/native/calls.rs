//! Typed replies and errors.

use bytes::Bytes;
use dip::{CallError, Client, Code, Mtype, Protocol, Wire};

use super::support::{Add, Echo, Note, Overflow, Refuse, served};

#[tokio::test]
async fn a_call_comes_back_with_its_reply() {
    let served = served().await;
    assert_eq!(served.client.wire(), Wire::Native);
    assert_eq!(served.client.call(&Add { a: 1, b: 2 }).await.unwrap(), 3);
    served.client.close().await.unwrap();
}

#[tokio::test]
async fn a_declared_error_comes_back_as_its_value() {
    let served = served().await;
    let error = served.client.call(&Add { a: i64::MAX, b: 1 }).await.unwrap_err();
    assert_eq!(error.into_app(), Some(Overflow { by: 1 }));
}

#[tokio::test]
async fn a_rejection_comes_back_with_class_and_code() {
    let served = served().await;
    let error = served.client.send(&Refuse("no".into())).await.unwrap_err();
    let CallError::Rejected(remote) = error else { panic!("{error:?}") };
    assert_eq!((remote.code, remote.class()), (Code::Rejected, "ValueError"));
    assert_eq!(remote.text, "ValueError('no')");
}

#[tokio::test]
async fn many_calls_at_once_share_one_connection() {
    let served = served().await;
    let calls = (0..1000).map(|n| {
        let client: Client = served.client.clone();
        tokio::spawn(async move { client.call(&Add { a: n, b: 1 }).await.unwrap() })
    });
    for (n, call) in calls.collect::<Vec<_>>().into_iter().enumerate() {
        assert_eq!(call.await.unwrap(), n as i64 + 1);
    }
    assert_eq!(served.server.stats().accepted, 1);
}

#[tokio::test]
async fn a_raw_call_comes_back_with_the_bytes_of_the_reply() {
    let served = served().await;
    let client = &served.client;
    for len in [0, 1, 100_000] {
        let body = Bytes::from(vec![7; len]);
        assert_eq!(client.call_raw(Echo::MTYPE, body.clone()).await.unwrap(), body);
    }
    // As bincode writes signed numbers.
    assert_eq!(client.call_raw(Mtype::name("native.add"), vec![2, 4]).await.unwrap(), &[6][..]);
    assert_eq!(client.call_raw(Note::MTYPE, "\x04text").await.unwrap(), "");
    client.send_raw(Echo::MTYPE, "its reply is of no interest").await.unwrap();
}

#[tokio::test]
async fn a_raw_call_that_fails_says_so_in_words() {
    let served = served().await;
    // The largest number and 1.
    let body = b"\xfd\xfe\xff\xff\xff\xff\xff\xff\xff\x02".as_slice();
    for (mtype, body, code) in [
        (Add::MTYPE, body, Code::App),
        (Refuse::MTYPE, b"\x02no", Code::Rejected),
        (Mtype::name("native.unknown"), b"", Code::UnknownType),
    ] {
        let error = served.client.call_raw(mtype, body).await.unwrap_err();
        let CallError::Rejected(remote) = error else { panic!("{error:?}") };
        assert_eq!(remote.code, code, "{remote}");
    }
}

#[tokio::test]
async fn a_raw_call_on_the_classic_wire_is_acknowledged() {
    let served = served().await;
    let client = served.another().wire(Wire::Classic).connect().await.unwrap();
    assert_eq!(client.call_raw(b'O', "text").await.unwrap(), "");
}
