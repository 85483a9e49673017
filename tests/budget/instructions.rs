//! Instructions of a small call, both sides together, as callgrind counts them where it is installed.

use std::process::Command;

/// What a call may cost in a build without optimizations: a seventh more than it does. That says
/// nothing of how fast dip is, but tells when it gets slower.
const ALONE: u64 = 168_000;
const AT_ONCE: u64 = 65_000;

/// The instructions of a program that makes so many calls; `None` without callgrind.
fn of_program(calls: u64, at_once: u64) -> Option<u64> {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let run = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(env!("CARGO_BIN_EXE_calls"))
        .args([calls.to_string(), at_once.to_string()])
        .output()
        .ok()?;
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let counted = std::fs::read_to_string(&out).unwrap();
    let total = counted.lines().find_map(|line| line.strip_prefix("totals: ")).unwrap();
    Some(total.trim().parse().unwrap())
}

/// The instructions of one call: what a program with many costs more than one with few.
fn of_call(at_once: u64) -> Option<u64> {
    let (few, many) = (of_program(640, at_once)?, of_program(6400, at_once)?);
    Some((many - few) / (6400 - 640))
}

/// Once in a while the system lets the two sides take turns that are shorter than usual: what costs more
/// for good does so every time.
fn check(at_once: u64, budget: u64) {
    let mut least = u64::MAX;
    for _ in 0..3 {
        let Some(count) = of_call(at_once) else {
            return eprintln!("SKIPPED: there is no valgrind here to count instructions");
        };
        println!("{count} instructions a call, {at_once} at once; {budget} may be");
        least = least.min(count);
        if least <= budget {
            return;
        }
    }
    panic!("{least} instructions a call, {budget} may be");
}

#[test]
fn a_call_alone_keeps_to_its_instructions() {
    check(1, ALONE);
}

#[test]
fn many_calls_at_once_keep_to_their_instructions() {
    check(64, AT_ONCE);
}
