//! The program `dip`.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    dip::cli::run()
}
