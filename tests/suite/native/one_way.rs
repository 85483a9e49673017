//! One-way messages: their order, their credit, and when they have arrived.

use dip::{CallError, Limits, Protocol, Reason};

use super::raw::{NOTIFY, REQUEST, Raw, frame};
use super::support::*;

fn numbers(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

fn is_slow_peer<T>(result: &Result<T, CallError<dip::NoError>>) -> bool {
    matches!(result, Err(CallError::NotSent(Reason::SlowPeer)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notices_of_one_lane_are_handled_in_the_order_in_which_they_were_sent() {
    let served = served().await;
    for number in 0..2000 {
        served.client.notify(&Line(number)).await.unwrap();
    }
    served.log.reaches(2000).await;
    assert_eq!(served.log.all(), numbers(0..2000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_one_lane_are_handled_in_the_order_in_which_they_were_sent() {
    let served = served().await;
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..500 {
        let mut call = Box::pin(served.client.send(&Line(number)));
        // The first poll sends it; on a busy machine the reply may have come by its end.
        match futures_poll(&mut call).await {
            Some(sent) => sent.unwrap(),
            None => _ = calls.spawn(call),
        }
    }
    in_time(calls.join_all()).await.into_iter().for_each(|sent| sent.unwrap());
    assert_eq!(served.log.all(), numbers(0..500));
}

/// Polls once.
async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(cx) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test]
async fn without_credit_a_notice_waits_and_is_certainly_not_sent_when_its_time_is_over() {
    let served = served_with(|b| b.limits(Limits::default().notify_window(2))).await;
    for name in ["a", "b"] {
        in_time(served.client.notify(&Wait(name.into()))).await.unwrap();
    }
    let late = served.client.notify(&Wait("late".into())).timeout(ms(100)).await;
    assert!(is_slow_peer(&late), "{late:?}");
    let late = late.unwrap_err();
    assert!(!late.may_have_run() && late.is_retryable());

    served.gate.open(3);
    in_time(served.client.notify(&Wait("c".into()))).await.unwrap();
    served.log.reaches(6).await;
    served.client.close().await.unwrap();
    let begun: Vec<_> = served.log.all().into_iter().filter(|e| e.ends_with("begun")).collect();
    assert_eq!(begun, ["a begun", "b begun", "c begun"]);
}

#[tokio::test]
async fn a_notice_that_waits_goes_out_when_a_handler_has_ended() {
    let served = served_with(|b| b.limits(Limits::default().notify_window(1))).await;
    served.client.notify(&Wait("first".into())).await.unwrap();
    let client = served.client.clone();
    let second = tokio::spawn(async move { client.notify(&Wait("second".into())).await });
    served.log.reaches(1).await;
    assert!(!second.is_finished());
    served.gate.open(2);
    in_time(second).await.unwrap().unwrap();
    served.log.reaches(4).await;
}

#[tokio::test]
async fn a_notice_that_is_dropped_before_it_had_credit_never_arrives() {
    let served = served_with(|b| b.limits(Limits::default().notify_window(1))).await;
    served.client.notify(&Wait("first".into())).await.unwrap();
    let mut dropped = Box::pin(served.client.notify(&Wait("dropped".into())));
    assert!(futures_poll(&mut dropped).await.is_none());
    drop(dropped);
    served.gate.open(9);
    in_time(served.client.notify(&Wait("last".into()))).await.unwrap();
    served.log.reaches(4).await;
    assert!(!served.log.all().iter().any(|entry| entry.starts_with("dropped")));
}

#[tokio::test]
async fn a_long_notice_costs_no_more_than_the_whole_window() {
    let served = served_with(|b| b.limits(Limits::default().notify_window(4))).await;
    let long = "x".repeat(1 << 20);
    for _ in 0..3 {
        in_time(served.client.notify(&Note(long.clone()))).await.unwrap();
    }
    served.log.reaches(3).await;
    assert!(served.log.all().iter().all(|text| *text == long));
}

#[tokio::test]
async fn what_is_sent_without_waiting_keeps_its_place_among_the_others() {
    let served = served().await;
    for number in (0..300).step_by(3) {
        served.client.try_notify(&Line(number)).unwrap();
        served.client.notify(&Line(number + 1)).await.unwrap();
        served.client.send(&Line(number + 2)).await.unwrap();
    }
    assert_eq!(served.log.all(), numbers(0..300));
}

#[tokio::test]
async fn a_server_need_not_wait_either() {
    let served = served().await;
    let [peer] = &served.server.peers()[..] else { panic!("there is one") };
    peer.try_notify(&Note("down".into())).unwrap();
    served.log.reaches(1).await;
    assert_eq!(served.log.all(), ["down"]);
}

#[tokio::test]
async fn without_credit_nothing_is_sent_by_one_who_does_not_wait() {
    let served = served_with(|b| b.limits(Limits::default().notify_window(2))).await;
    for name in ["a", "b"] {
        served.client.try_notify(&Wait(name.into())).unwrap();
    }
    for _ in 0..3 {
        let full = served.client.try_notify(&Wait("never".into()));
        assert!(is_slow_peer(&full) && full.unwrap_err().is_retryable());
    }
    served.gate.open(9);
    in_time(served.client.notify(&Wait("c".into()))).await.unwrap();
    served.client.flush().await.unwrap();
    served.log.reaches(6).await;
    assert!(!served.log.all().iter().any(|entry| entry.starts_with("never")));
}

#[tokio::test]
async fn a_long_notice_is_sent_without_waiting_if_there_is_room() {
    let served = served().await;
    let long = "x".repeat(100_000);
    served.client.try_notify(&Note(long.clone())).unwrap();
    served.client.try_notify(&Note("short".into())).unwrap();
    served.log.reaches(2).await;
    let mut all = served.log.all();
    all.sort_by_key(String::len);
    assert_eq!(all, ["short", &long]);
}

#[tokio::test]
async fn one_who_does_not_wait_is_told_why_nothing_is_sent() {
    let small = Limits::default().max_message(64 << 10).max_builtin_message(64 << 10);
    let served = served_with(|b| b.limits(small)).await;
    let not_sent = |sent: Result<(), CallError<dip::NoError>>| match sent {
        Err(CallError::NotSent(reason)) => reason,
        sent => panic!("{sent:?}"),
    };
    let long = served.client.try_notify(&Note("x".repeat(1 << 20)));
    assert!(matches!(not_sent(long), Reason::TooLarge { .. }));
    let builder = dip::Client::builder(&served.path);
    let classic = builder.wire(dip::Wire::Classic).connect().await.unwrap();
    assert!(matches!(not_sent(classic.try_notify(&Line(0))), Reason::NotSupported(_)));
    served.server.shutdown();
    in_time(served.client.disconnected()).await;
    assert!(matches!(not_sent(served.client.try_notify(&Line(0))), Reason::Disconnected));
    served.client.close().await.unwrap();
    assert!(matches!(not_sent(served.client.try_notify(&Line(0))), Reason::Closed));
}

#[tokio::test]
async fn flush_waits_until_everything_before_was_dispatched() {
    let served = served().await;
    for number in 0..900 {
        served.client.notify(&Note(number.to_string())).await.unwrap();
    }
    served.client.notify(&Note("x".repeat(4 << 20))).await.unwrap();
    served.client.flush().await.unwrap();
    assert_eq!(served.of(Note::MTYPE).count, 901);
}

#[tokio::test]
async fn a_flush_does_not_wait_for_handlers() {
    let served = served().await;
    served.client.notify(&Wait("long".into())).await.unwrap();
    in_time(served.client.flush()).await.unwrap();
    assert_eq!(served.in_flight::<Wait>(), 1);
}

#[tokio::test]
async fn a_notice_that_nobody_handles_gives_its_credit_back() {
    let served = served_with(|b| b.limits(Limits::default().notify_window(2))).await;
    for _ in 0..20 {
        in_time(served.client.notify(&Unheard)).await.unwrap();
    }
    in_time(served.client.notify(&Note("heard".into()))).await.unwrap();
    served.log.reaches(1).await;
    assert_eq!(served.of(Unheard::MTYPE).unhandled, 20);
}

#[tokio::test]
async fn a_notice_of_a_type_that_nobody_knows_gives_its_credit_back() {
    let served = served_with(|b| b.limits(Limits::default().notify_window(2))).await;
    let mut raw = Raw::connect(&served.path).await;
    for _ in 0..20 {
        raw.write(&frame(NOTIFY, 0, 0x8000_0001, b"what")).await;
        let credit = raw.next().await.unwrap();
        assert_eq!(credit.kind, 7, "{credit:?}");
    }
    assert_eq!(served.server.stats().unknown, 20);
    raw.write(&frame(NOTIFY, 0, Note::MTYPE.number(), b"\x02hi")).await;
    served.log.reaches(1).await;
}

#[tokio::test]
async fn a_notice_whose_handler_fails_gives_its_credit_back() {
    let served = served_with(|b| b.limits(Limits::default().notify_window(1))).await;
    for _ in 0..20 {
        in_time(served.client.notify(&Refuse("no".into()))).await.unwrap();
    }
    served.client.close().await.unwrap();
    assert_eq!(served.of(Refuse::MTYPE).errors, 20);
}

#[tokio::test]
async fn all_that_a_peer_said_before_it_left_is_handled() {
    let served = served().await;
    let mut raw = Raw::connect(&served.path).await;
    let note = |text: &str| {
        let body = [&[text.len() as u8][..], text.as_bytes()].concat();
        frame(NOTIFY, 0, Note::MTYPE.number(), &body)
    };
    let notes: Vec<u8> = (0..1000).flat_map(|_| note("x")).collect();
    raw.write(&notes).await;
    drop(raw);
    served.log.reaches(1000).await;
}

#[tokio::test]
async fn a_reply_that_nobody_reads_does_not_lose_what_came_behind_its_call() {
    let served = served().await;
    let mut raw = Raw::connect(&served.path).await;
    let text = "x".repeat(200);
    let body = [&[200][..], text.as_bytes()].concat();
    let mut all = Vec::new();
    // The reply to each finds the stream closed.
    for call in 0..200 {
        all.extend(frame(REQUEST, call * 2 + 1, Add::MTYPE.number(), &[2, 4]));
        all.extend((0..4).flat_map(|_| frame(NOTIFY, 0, Note::MTYPE.number(), &body)));
    }
    raw.write(&all).await;
    drop(raw);
    served.log.reaches(800).await;
}

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, Protocol)]
#[mtype("native.apart")]
struct Apart(u64);

#[dip::handler(group = "native", ordered = "connection", spawn)]
async fn apart(Apart(number): Apart, dip::State(log): dip::State<Log>) {
    log.push(number.to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_that_are_tasks_from_the_start_keep_the_order_of_their_lane() {
    let served = served().await;
    for number in 0..2000 {
        served.client.notify(&Apart(number)).await.unwrap();
    }
    served.log.reaches(2000).await;
    assert_eq!(served.log.all(), numbers(0..2000));
}
