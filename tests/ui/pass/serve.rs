//! Every way to write `serve!` is one builder.

use dip::{Limits, Router};

mod jobs {}

struct Options {
    limits: Limits,
}

fn options() -> Options {
    Options { limits: Limits::default() }
}

fn main() {
    let one = dip::serve!("/tmp/run.sock");
    let comma = dip::serve!("/tmp/run.sock",);
    let address = String::from("/tmp/run.sock");
    let many = dip::serve!(
        address.as_str(),
        state = 1_u8,
        state = (|| "closure")(),
        router = Router::new(),
        limits = Options { limits: options().limits }.limits,
        link = [jobs, crate::jobs],
        shutdown = async { std::future::pending().await },
        link = [::dip],
        insecure_no_auth = true,
    );
    drop((one, comma, many));
}
