//! Calls within calls while nothing moves any more on the socket: nobody waits in a circle.

use dip::Client;
use dip_tests::nesting::{Hall, Meet, Shape, Side, narrow, router};
use dip_tests::process::Program;
use dip_tests::storm::End;
use dip_tests::valve::Valve;
use tokio::net::UnixListener;
use tokio::process::Command;

/// This process and a child call each other through a socket with small buffers. Neither reads while
/// both write, so that both buffers are certainly full at the same time: once of the outermost calls,
/// which take all permits of depth 0 on both sides, and once more, while all of these are held, of the
/// calls back.
async fn calls_come_back_through_full_buffers(shape: Shape) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let mut nester = Command::new(env!("CARGO_BIN_EXE_nester"));
    let mut nester = Program::start(nester.arg(&path).arg(shape.to_string()));
    let (valve, hall) = (Valve::default(), Hall::default());
    let stream = narrow(listener.accept().await.unwrap().0, &valve);
    let client = Client::over(stream).router(router()).state(hall.clone()).connect().await.unwrap();
    client.notify(&Meet).await.unwrap();
    let mut side = Side::new(End::Client(client), valve, hall, shape);

    both(&mut nester, "shut", async { side.shut() }).await;
    both(&mut nester, "call", side.call()).await;
    both(&mut nester, "open", async { side.open() }).await;
    both(&mut nester, "hold", side.hold()).await;
    both(&mut nester, "shut", async { side.shut() }).await;
    both(&mut nester, "call back", side.call_back()).await;
    both(&mut nester, "open", async { side.open() }).await;
    both(&mut nester, "end", side.end()).await;
    nester.end().await;
}

/// Both sides take a step.
async fn both(nester: &mut Program, step: &str, ours: impl Future<Output = ()>) {
    nester.tell(step).await;
    // It says why, on the standard error output that is the test's own, if it does not come to that.
    let (theirs, ()) = tokio::join!(nester.line(), ours);
    assert_eq!(theirs, step);
}

#[tokio::test]
async fn nested_calls_with_all_permits_taken_and_both_buffers_full_come_back() {
    // Just under what is a long body: they go out in the order in which they were put in.
    calls_come_back_through_full_buffers(Shape { calls: 256, depth: 5, len: 12 << 10 }).await;
}

#[tokio::test]
async fn nested_calls_with_long_bodies_and_both_buffers_and_windows_full_come_back() {
    // In pieces; the bodies of either side are more than the 32 MiB that may be under way.
    calls_come_back_through_full_buffers(Shape { calls: 256, depth: 2, len: 160 << 10 }).await;
}
