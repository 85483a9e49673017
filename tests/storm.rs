//! Processes that call each other both ways while one after the other is killed.
//!
//! A binary of its own, for it measures times: nothing else of the tests runs beside it.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on fails")]

use std::io::Write;
use std::time::Duration;

use dip_tests::death::Times;
use dip_tests::process::run;
use dip_tests::storm::Report;
use tokio::process::Command;

/// By how much the master's memory may differ between the first quarter and the end.
const FLAT: u64 = 4 << 20;

/// When the master must know of a death.
const SOON: Duration = Duration::from_millis(100);

/// The same for one death in twenty: a machine that has much else to do may stop the master between the
/// two things that are compared.
const LATER: Duration = Duration::from_secs(1);

/// How long the storm takes: as long as `DIP_STORM_SECONDS` says.
fn seconds() -> f64 {
    std::env::var("DIP_STORM_SECONDS").map_or(4.0, |seconds| seconds.parse().unwrap())
}

#[tokio::test]
async fn every_call_ends_while_workers_are_killed_and_the_master_stays_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let mut master = Command::new(env!("CARGO_BIN_EXE_storm_master"));
    master.arg(directory.path().join("s")).arg(env!("CARGO_BIN_EXE_storm_worker"));
    master.arg(seconds().to_string());
    let limit = Duration::from_secs_f64(seconds() + 60.0);
    let report = run(&mut master, b"", limit).await;
    let report: Report = serde_json::from_slice(&report).unwrap();

    assert!(report.seen.faults.is_empty(), "{:#?}", report.seen.faults);
    let count = |outcome| report.seen.outcomes.get(outcome).copied().unwrap_or(0);
    for outcome in ["reply", "app", "rejected", "deadline", "connection lost", "dropped"] {
        assert!(count(outcome) > 0, "no call ended that way: {outcome} {:?}", report.seen);
    }
    assert!(count("slow") * 20 < count("reply"), "{:?}", report.seen);

    // In all, which is what a user waits for, the usual death; without what the machine needs for any,
    // each of them: see `Death`.
    let (known, own) = (Times::known(&report.deaths), Times::own(&report.deaths));
    let deaths =
        format!("{} deaths, known after {known}; of that dip's own: {own}", report.deaths.len());
    assert!(known.percent(50) <= SOON, "{deaths}");
    assert!(own.percent(95) <= SOON && own.percent(100) <= LATER, "{deaths}");

    let (before, after) = (&report.before, &report.after);
    assert_eq!(before.descriptors, after.descriptors);
    assert!(after.resident < before.resident.map(|bytes| bytes + FLAT), "{before:?} {after:?}");
    say(&format!("{deaths}; {:?}; {before:?}, then {after:?}", report.seen.outcomes,));
}

/// Prints a line that is seen also when the test passes.
fn say(line: &str) {
    _ = writeln!(std::io::stderr(), "{line}");
}
