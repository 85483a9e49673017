//! What the macros accept, and what they say about the rest.
//!
//! Each file of `ui/fail` shows one fault; the `.stderr` beside it is what the compiler prints. To
//! change a message, change it, run with `TRYBUILD=overwrite`, and read the difference.
#![forbid(unsafe_code)]

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    cases.compile_fail("ui/fail/*.rs");
}
