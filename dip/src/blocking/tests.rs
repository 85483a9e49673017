use std::io::Read;
use std::os::unix::net::UnixListener;

use super::*;

/// A client of a classic server that does nothing.
fn connect(path: &std::path::Path) -> Client {
    Client::builder(path).id(None).wire(Wire::Classic).connect().unwrap()
}

#[test]
fn in_a_child_nothing_is_sent() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let mut client = connect(&path);
    client.process = client.process.in_a_child();
    let error = client.send_raw(b'O', "x").unwrap_err();
    assert!(matches!(error, CallError::NotSent(Reason::Forked)), "{error:?}");
    assert!(matches!(client.flush(), Err(Error::NotSent(Reason::Forked))));
    assert!(matches!(client.close(), Err(Error::NotSent(Reason::Forked))));
    let (mut server, _) = listener.accept().unwrap();
    assert_eq!(server.read(&mut [0]).unwrap(), 0, "only the copy was closed");
}

#[test]
fn a_time_that_was_given_is_taken_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let _listener = UnixListener::bind(&path).unwrap();
    let mut client = connect(&path);
    let (short, long) = (Duration::from_secs(1), Duration::from_secs(2));
    {
        let mut outer = client.timeout(short);
        assert_eq!(outer.timeout(long).given, Some(long));
        assert_eq!(outer.given, Some(short));
    }
    assert_eq!(client.given, None);
}
