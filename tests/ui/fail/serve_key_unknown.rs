#[tokio::main]
async fn main() -> dip::Result<()> {
    dip::serve!("/tmp/run.sock", classics = false).await
}
