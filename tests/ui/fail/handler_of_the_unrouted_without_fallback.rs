use dip::{Unrouted, handler};

#[handler]
async fn rest(rest: Unrouted) {
    println!("{}", rest.mtype);
}

fn main() {}
