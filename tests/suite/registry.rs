//! Programs that are put together wrongly: duplicates are found when they are built, whatever else is
//! wrong when they start.

use std::path::Path;
use std::process::{Command, Output};

const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/registry");
const SYMBOL: &str = "__dip_mtype_4e_is_declared_by_two_types";

/// Runs Cargo on one of the programs in `registry`, with the versions of this workspace.
fn cargo(command: &str, package: &str, profile: &str) -> Output {
    let lock = Path::new(WORKSPACE).join("Cargo.lock");
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock"), lock).unwrap();
    Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .current_dir(WORKSPACE)
        .args([command, "--offline", "--quiet", "--color=never"])
        .args(["--package", package, "--profile", profile])
        .env("CARGO_TARGET_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/registry"))
        .output()
        .unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

// One test, for they share a folder and Cargo would let them wait for each other.
#[test]
fn wrong_programs_do_not_build_and_right_ones_do() {
    let one_crate = cargo("build", "one_crate", "dev");
    assert!(!one_crate.status.success());
    let text = stderr(&one_crate);
    assert!(text.contains(&format!("error: symbol `{SYMBOL}_v0_1` is already defined")), "{text}");
    // Either of the two: the compiler orders them as it likes.
    let at = ["one_crate/src/main.rs:7:9", "one_crate/src/main.rs:11:9"];
    assert!(at.iter().any(|line| text.contains(line)), "{text}");
    assert!(text.contains("1 previous error"), "{text}");

    let two_crates = cargo("build", "both", "dev");
    assert!(!two_crates.status.success());
    let text = stderr(&two_crates);
    assert!(text.contains(SYMBOL) && text.contains("libright"), "{text}");

    // Thin LTO makes the symbols local before the linker sees them.
    let thin = cargo("run", "both", "thin");
    assert!(!thin.status.success());
    let text = stderr(&thin);
    assert!(text.contains("two message types have the mtype 'N'"), "{text}");
    for part in ["left::Note", "right::Number", "left/src/lib.rs:6:", "right/src/lib.rs:6:"] {
        assert!(text.contains(part), "{text}");
    }

    let no_codec = cargo("check", "no_codec", "dev");
    assert!(!no_codec.status.success());
    let text = stderr(&no_codec);
    let error = "no codec is named for `Note`, and the default one is not there";
    assert!(text.contains(error) && text.contains("no_codec/src/main.rs:8:8"), "{text}");
    assert!(text.contains("1 previous error"), "{text}");

    let renamed = cargo("run", "renamed", "dev");
    assert!(renamed.status.success(), "{}", stderr(&renamed));
}

fn start(program: &str) -> (bool, String) {
    let output = Command::new(program).output().unwrap();
    (output.status.success(), stderr(&output))
}

#[test]
fn all_faults_are_reported_at_once_with_their_lines() {
    let (success, text) = start(env!("CARGO_BIN_EXE_everything_wrong"));
    assert!(!success);
    let file = "tests/startup/everything_wrong.rs";
    for (line, what) in [
        (
            14,
            "two handlers for message 'N' (`everything_wrong::Note`): `everything_wrong::first` at tests/startup/everything_wrong.rs:11:1 and `everything_wrong::second` at tests/startup/everything_wrong.rs:14:1",
        ),
        (
            14,
            "`everything_wrong::second` takes `State<u64>`, but no such state was given: add `state = …` to `serve!`, or `.state(…)`",
        ),
        (19, "`everything_wrong::rest` takes `State<u64>`, but no such state was given"),
        (
            29,
            "`everything_wrong::unregistered` takes `everything_wrong::Forgotten`, which is not registered: write `dip::register!(Forgotten)`",
        ),
        (
            56,
            "`everything_wrong::Line` has the mtype 'O' of the built-in message `dip::builtin::Stdout`",
        ),
        (84, "`everything_wrong::plain` is not a handler: write `#[handler]` on it"),
    ] {
        let at = format!("{file}:{line}:");
        let found = text.lines().any(|text| text.contains(&at) && text.contains(what));
        assert!(found, "{line} {what}\n\n{text}");
    }
    let lines: Vec<u32> =
        text.lines().skip(1).map(|line| line.split(':').nth(1).unwrap().parse().unwrap()).collect();
    assert!(lines.is_sorted() && lines.len() == 6, "{text}");
    assert!(!text.contains("Vec<u8>"), "that state was given\n{text}");
}

#[test]
fn a_program_without_handlers_does_not_start() {
    let (success, text) = start(env!("CARGO_BIN_EXE_no_handler"));
    assert!(!success);
    assert!(text.contains("there is no handler: write `#[handler]` on a function"), "{text}");
}

#[test]
fn a_message_that_replaces_a_builtin_one_starts() {
    let folder = tempfile::tempdir().unwrap();
    let replaced =
        Command::new(env!("CARGO_BIN_EXE_replaced")).arg(folder.path()).output().unwrap();
    assert!(replaced.status.success(), "{}", stderr(&replaced));
}

#[test]
fn three_hundred_messages_known_by_name_are_called_over_one_connection() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        Command::new(env!("CARGO_BIN_EXE_many_names")).arg(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "300 handlers\n300 right answers over 1 connection\n"
    );
}
