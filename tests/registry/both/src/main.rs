//! Two crates that know nothing of each other: their types have one mtype.

#[tokio::main(flavor = "current_thread")]
async fn main() -> dip::Result<()> {
    // Only where the linker doesn't see the duplicate.
    dip::serve!("unused.sock", link = [left, right]).await
}
