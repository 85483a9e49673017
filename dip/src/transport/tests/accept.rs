//! Taking connections, on TCP and when descriptors run out.

use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::*;

pub(super) fn own_group() -> String {
    nix::unistd::Group::from_gid(nix::unistd::getegid()).unwrap().unwrap().name
}

/// The role of a server that greets its clients and keeps the connections until they close.
pub(super) async fn keep_and_greet(listener: &mut Listener) {
    loop {
        let mut stream = listener.accept().await;
        tokio::spawn(async move {
            // The client may have gone by now.
            let _ = stream.write_all(b"hello").await;
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        });
    }
}

async fn bind_tcp(address: &str) -> Result<Listener, BindError> {
    let options = Options { insecure_no_auth: true, ..Options::default() };
    Listener::bind(&address.parse().unwrap(), options).await
}

#[tokio::test]
async fn an_accept_that_was_dropped_loses_no_connection() {
    let directory = directory();
    let mut listener = bind(&directory.path().join("run.sock")).await.unwrap();
    let wait = Duration::from_millis(10);
    assert!(tokio::time::timeout(wait, listener.accept()).await.is_err());
    let address = listener.local_addr().clone();
    let _client = dial(&address).await.unwrap();
    accept(&mut listener).await;
}

#[tokio::test]
async fn localhost_is_both_loopback_addresses_on_one_port() {
    let mut listener = bind_tcp("tcp:localhost:0").await.unwrap();
    let Address::Tcp { port, .. } = *listener.local_addr() else { panic!() };
    assert_ne!(port, 0);
    let mut hosts = vec!["localhost", "127.0.0.1"];
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        hosts.push("[::1]");
    }
    for host in hosts {
        let address = format!("tcp:{host}:{port}").parse().unwrap();
        let client = dial(&address).await.unwrap();
        let server = accept(&mut listener).await;
        for stream in [client, server] {
            assert_eq!(stream.credentials(), None);
            assert_eq!(stream.credentials(), None);
        }
    }

    let error = bind_tcp(&listener.local_addr().to_string()).await.unwrap_err();
    assert!(matches!(error, BindError::PortInUse { .. }), "{error:?}");
    let address = listener.local_addr().clone();
    drop(listener);
    let error = dial(&address).await.unwrap_err();
    assert!(matches!(error, ConnectError::NoServer { absence: Absence::Refused, .. }), "{error:?}");
    // The port is free at once.
    bind_tcp(&address.to_string()).await.unwrap();
}

#[tokio::test]
async fn tcp_must_be_asked_for_without_authentication() {
    let address = "tcp:localhost:0".parse().unwrap();
    let error = Listener::bind(&address, Options::default()).await.unwrap_err();
    assert!(matches!(error, BindError::NoAuth { .. }), "{error:?}");
    assert!(error.to_string().contains("insecure_no_auth = true"), "{error}");
}

#[tokio::test]
async fn tcp_beyond_this_machine_is_refused_in_both_directions() {
    for address in ["tcp:0.0.0.0:0", "tcp:[::]:0", "tcp:192.0.2.1:1", "tcp:[2001:db8::1]:1"] {
        let error = bind_tcp(address).await.unwrap_err();
        assert!(matches!(error, BindError::NotLoopback { .. }), "{error:?}");
        assert!(error.to_string().contains("no TLS yet"), "{error}");
        let error = dial(&address.parse().unwrap()).await.unwrap_err();
        assert!(matches!(error, ConnectError::NotLoopback { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn without_descriptors_the_server_rests_and_then_serves_again() {
    let directory = directory();
    let path = directory.path().join("run.sock");
    let mut server = Actor::start("bind with few descriptors", &path);
    assert_eq!(server.says(), "bound");

    let mut served = Vec::new();
    let (mut turned_away, mut rests) = (0, false);
    for _ in 0..40 {
        let mut client = UnixStream::connect(&path).unwrap();
        client.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        match client.read(&mut [0; 5]) {
            Ok(5) => served.push(client),
            Ok(0) => turned_away += 1,
            Err(_) => {
                rests = true;
                break;
            }
            Ok(_) => panic!("half a greeting"),
        }
    }
    assert!((4..24).contains(&served.len()), "{}", served.len());
    assert!(turned_away > 0 && rests);

    // With as many as can be at its door, it still has nothing to do.
    let waiting: Vec<_> = (0..50).map(|_| UnixStream::connect(&path).unwrap()).collect();

    let before = processor_time(server.process.id());
    std::thread::sleep(Duration::from_secs(1));
    let used = processor_time(server.process.id()) - before;
    assert!(used <= 5, "{used} ticks in a second of rest");

    drop((served, waiting));
    let start = std::time::Instant::now();
    let greeted = loop {
        let mut client = UnixStream::connect(&path).unwrap();
        if matches!(client.read(&mut [0; 5]), Ok(5)) {
            break start.elapsed();
        }
    };
    assert!(greeted < Duration::from_millis(1100), "{greeted:?}");
}

/// User and system time, in ticks of 10 ms.
fn processor_time(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    after_name.split_whitespace().skip(11).take(2).map(|n| n.parse::<u64>().unwrap()).sum()
}
