//! Peers that are broken, hostile, or not peers at all.

use dip::{CloseReason, Limits, Rejection, Router, State, handler};
use proptest::prelude::*;

use super::support::*;

#[handler]
async fn note(Note(text): Note) -> Result<(), Rejection> {
    match text.as_str() {
        "panic" => std::panic::resume_unwind(Box::new("secret")),
        "long" => Err(Rejection::named("ValueError", "x".repeat(2000))),
        "wide" => Err(Rejection::named("ValueError", "xx".to_owned() + &"€".repeat(336))),
        _ => Ok(()),
    }
}

#[handler]
async fn brief(_: Brief, State(log): State<Log>) {
    log.push("brief");
}

async fn fixture(limits: Limits) -> Running {
    let router = Router::new().handler(note).handler(brief);
    serve_with(|builder| builder.router(router).state(Log::default()).limits(limits)).await
}

async fn closes(running: &Running, reason: CloseReason) {
    until(|| running.server.stats().closed(reason) > 0).await;
    let mut honest = running.connect().await;
    assert_eq!(honest.ask(NOTE, "").await, "ok", "others are still served");
}

#[tokio::test]
async fn strangers_are_answered_and_the_connection_is_closed() {
    let strangers: [(&[u8], &str); 5] = [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", &unknown(b'G')),
        (b"POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "ValueError("),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", &unknown(0x16)),
        (b"SSH-2.0-OpenSSH_9.9\r\n", &unknown(b'S')),
        (b"\x90\xff\xff\xff\xff", "ValueError("),
    ];
    let running = fixture(Limits::default()).await;
    for (count, (bytes, reply)) in (1..).zip(strangers) {
        let mut client = running.connect().await;
        client.write(bytes).await;
        let said = client.rest().await;
        assert!(said.starts_with(reply), "{said}");
        until(|| running.server.stats().closed(CloseReason::TooLarge) == count).await;
    }
    closes(&running, CloseReason::TooLarge).await;
}

#[tokio::test]
async fn a_last_word_arrives_though_more_was_sent_than_anybody_read() {
    let running = fixture(Limits::default()).await;
    let mut client = running.connect().await;
    let endless = [b"G\xff\xff\xff\xff".to_vec(), vec![0; 100_000]].concat();
    client.write(&endless).await;
    assert_eq!(client.rest().await, unknown(b'G'));
}

#[tokio::test]
async fn a_body_of_unknown_type_is_discarded_as_it_arrives() {
    let running = fixture(Limits::default().memory("256 KiB")).await;
    let mut client = running.connect().await;
    let body = vec![7; 10 << 20];
    let reply = client.ask(b'Z', &body).await;
    assert_eq!(reply, unknown(b'Z'), "forty times the memory of the server, and yet discarded");
    assert_eq!(client.ask(NOTE, "").await, "ok");
}

#[tokio::test]
async fn a_body_longer_than_its_type_takes_is_discarded_and_refused() {
    let running = fixture(Limits::default()).await;
    let mut client = running.connect().await;
    assert_eq!(
        client.ask(BRIEF, "x".repeat(1025)).await,
        "ValueError('a message 0x91 has at most 1024 bytes here, this one has 1025')"
    );
    assert_eq!(client.ask(BRIEF, "x".repeat(1024)).await, "ok");
}

#[tokio::test]
async fn ten_thousand_panics_change_nothing() {
    let running = fixture(Limits::default()).await;
    let mut client = running.connect().await;
    let frames = frame(NOTE, "panic").repeat(500);
    for _ in 0..20 {
        client.write(&frames).await;
        client.expect(&"RuntimeError('the handler panicked')".repeat(500)).await;
    }
    assert_eq!(client.ask(NOTE, "").await, "ok");
    let stats = running.server.stats();
    assert_eq!(stats.of(dip::Mtype::byte(NOTE)).unwrap().errors, 10_000);
}

#[tokio::test]
async fn a_peer_that_never_reads_its_replies_is_closed() {
    let running = fixture(Limits::default().write(ms(300))).await;
    let mut client = running.connect().await;
    let frames = frame(NOTE, "long").repeat(100);
    let floods = async {
        while tokio::io::AsyncWriteExt::write_all(&mut client.0, &frames).await.is_ok() {}
    };
    in_time(floods).await;
    closes(&running, CloseReason::SlowConsumer).await;
}

/// Nothing else is due on its connection: the time of the write must be looked at on its own account.
#[tokio::test]
async fn so_is_one_that_has_sent_all_that_it_wants_to() {
    let limits = Limits::default().handshake(ms(200)).write(ms(300));
    let running = fixture(limits).await;
    let mut client = running.connect().await;
    assert_eq!(client.ask(NOTE, "").await, "ok");
    tokio::time::sleep(ms(400)).await;
    client.write(&frame(NOTE, "wide").repeat(600)).await;
    closes(&running, CloseReason::SlowConsumer).await;
}

#[handler]
async fn patient(_: Brief, State(gate): State<Gate>) {
    gate.pass().await;
}

/// A handler runs on though its connection is given up; nothing must turn in a circle meanwhile.
#[tokio::test]
async fn a_slow_consumer_costs_no_time_while_its_handler_runs() {
    let gate = Gate::closed();
    let router = Router::new().handler(note).handler(patient);
    let limits = Limits::default().write(ms(100));
    let running =
        serve_with(|builder| builder.router(router).state(gate.clone()).limits(limits)).await;
    let mut client = running.connect().await;
    // More replies than the socket holds, and fewer than the server waits for.
    let frames = [frame(NOTE, "long").repeat(replies_in_a_socket() + 20), frame(BRIEF, "")];
    client.write(&frames.concat()).await;
    let of_brief = || running.server.stats().of(dip::Mtype::byte(BRIEF)).unwrap().clone();
    until(|| of_brief().in_flight == 1).await;
    tokio::time::sleep(ms(300)).await;
    let before = processor_time();
    tokio::time::sleep(ms(500)).await;
    let used = processor_time() - before;
    assert!(used < ms(150), "{used:?} of half a second");
    gate.open(1);
    closes(&running, CloseReason::SlowConsumer).await;
}

/// Their answers fill what the server writes at once, to the byte, and more.
#[tokio::test]
async fn many_messages_in_one_write_are_all_answered() {
    let running = fixture(Limits::default()).await;
    for leaves in [false, true] {
        let mut client = running.connect().await;
        client.send(NOTE, "wide").await;
        let answer = client.reply().await;
        assert_eq!(answer.len(), 1024);
        client.write(&frame(NOTE, "wide").repeat(300)).await;
        if leaves {
            tokio::io::AsyncWriteExt::shutdown(&mut client.0).await.unwrap();
        }
        client.expect(&answer.repeat(300)).await;
    }
}

/// Of 1 KiB each, as the server writes them: many at once.
fn replies_in_a_socket() -> usize {
    use std::io::Write;
    let (mut writer, _reader) = std::os::unix::net::UnixStream::pair().unwrap();
    writer.set_nonblocking(true).unwrap();
    std::iter::from_fn(|| writer.write(&[0; 64 << 10]).ok()).sum::<usize>() / 1024
}

/// What this thread, which runs the server too, has used so far.
fn processor_time() -> std::time::Duration {
    use rustix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}

/// A peer that sends a byte now and then: before its first frame, and in a later one.
#[tokio::test]
async fn a_slow_loris_is_closed() {
    let limits = Limits::default().handshake(ms(400)).frame(ms(400));
    let running = fixture(limits).await;
    let mut lorises = Vec::new();
    for number in 0..64 {
        let mut loris = running.connect().await;
        if number % 2 == 0 {
            assert_eq!(loris.ask(NOTE, "").await, "ok");
        }
        lorises.push(loris);
    }
    let header = frame(NOTE, "x".repeat(1000));
    for byte in header.chunks(1).take(12) {
        for loris in &mut lorises {
            _ = tokio::io::AsyncWriteExt::write_all(&mut loris.0, byte).await;
        }
        tokio::time::sleep(ms(50)).await;
    }
    let closed = |reason| running.server.stats().closed(reason);
    until(|| closed(CloseReason::HandshakeTimeout) == 32).await;
    until(|| closed(CloseReason::FrameTimeout) == 32).await;
    closes(&running, CloseReason::FrameTimeout).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_connections_that_say_nothing_leave_room_for_others() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let descriptors = getrlimit(Resource::Nofile);
    let enough = descriptors.maximum.unwrap_or(8192).min(8192);
    setrlimit(Resource::Nofile, rustix::process::Rlimit { current: Some(enough), ..descriptors })
        .unwrap();

    let running = fixture(Limits::default().handshake(ms(4_000))).await;
    let mut silent = Vec::new();
    for _ in 0..1_000 {
        silent.push(running.connect().await);
    }
    let mut honest = running.connect().await;
    assert_eq!(honest.ask(NOTE, "").await, "ok");
    let evicted = || running.server.stats().closed(CloseReason::Evicted);
    until(|| evicted() >= 1_000 - 64).await;
    assert_eq!(honest.ask(NOTE, "").await, "ok");
    assert_eq!(running.connect().await.ask(NOTE, "").await, "ok");
    let timed_out = || running.server.stats().closed(CloseReason::HandshakeTimeout);
    until(|| evicted() + timed_out() == 1_000).await;
    assert!(timed_out() <= 64, "{}", timed_out());
    // The oldest go first; which those are is up to the threads that accepted them.
    let mut told = [0; 2];
    for silent in &mut silent {
        match &*silent.rest().await {
            "ConnectionError('too many connections say nothing')" => told[0] += 1,
            "ConnectionError('no frame in time')" => told[1] += 1,
            other => panic!("{other}"),
        }
    }
    assert_eq!(told, [evicted(), timed_out()]);
    assert_eq!(honest.ask(NOTE, "").await, "ok");
}

/// Frames of known and unknown types, headers that lie, and noise.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let mtype = prop_oneof![Just(NOTE), Just(BRIEF), Just(0x1d), Just(5), Just(b'J'), any::<u8>()];
    let body = proptest::collection::vec(any::<u8>(), 0..40);
    let whole = (mtype, body.clone()).prop_map(|(mtype, body)| frame(mtype, body));
    let part = prop_oneof![3 => whole, 1 => body];
    proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_hang_or_harm_a_server(bytes in noise()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let running = fixture(Limits::default()).await;
            let (mut client, mut honest) = (running.connect().await, running.connect().await);
            client.write(&bytes).await;
            assert_eq!(honest.ask(NOTE, "").await, "ok");
            tokio::io::AsyncWriteExt::shutdown(&mut client.0).await.unwrap();
            client.rest().await;
            until(|| running.server.stats().connections == 1).await;
            assert_eq!(honest.ask(NOTE, "").await, "ok");
            assert!(running.server.stats().types.iter().all(|of| of.in_flight == 0));
        });
    }
}
