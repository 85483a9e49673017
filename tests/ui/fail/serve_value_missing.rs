#[tokio::main]
async fn main() -> dip::Result<()> {
    dip::serve!("/tmp/run.sock", classic).await
}
