//! A child serves its standard input and output.

use std::process::Stdio;
use std::time::Duration;

use dip::Client;
use dip_tests::versions::Kept;
use tokio::process::Command;
use tokio::time::timeout;

#[tokio::test]
async fn a_child_serves_its_standard_input_and_output_until_they_end() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_stdio"));
    child.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = child.spawn().unwrap();
    let (stdout, stdin) = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
    let client = Client::over(tokio::io::join(stdout, stdin)).connect().await.unwrap();
    for number in 0..100 {
        assert_eq!(client.call(&Kept(number)).await.unwrap(), number);
    }
    client.close().await.unwrap();
    let status = timeout(Duration::from_secs(20), child.wait()).await.expect("it ends").unwrap();
    assert!(status.success(), "{status}");
}
