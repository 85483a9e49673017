//! Typed replies and errors.

use dip::{CallError, Client, Code, Wire};

use super::support::{Add, Overflow, Refuse, served};

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
