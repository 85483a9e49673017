//! The program `dip`, for the tests of the command line.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    dip::cli::run()
}
