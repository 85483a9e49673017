//! A program without handlers.

#[tokio::main(flavor = "current_thread")]
async fn main() -> dip::Result<()> {
    dip::serve!("unused.sock").await
}
