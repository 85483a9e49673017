//! How a connection is closed so that what was said last arrives.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::transport::Stream;

/// How long a peer may take to read the last words.
pub(crate) const LINGER: Duration = Duration::from_secs(1);

/// Tells a peer why it is not served, and closes.
pub(crate) async fn turn_away(mut stream: Stream, words: &[u8]) {
    let said = async {
        stream.write_all(words).await?;
        hang_up(&mut stream).await
    };
    // One that does not listen is left.
    _ = tokio::time::timeout(LINGER, said).await;
}

/// Says that nothing more comes, and waits until the peer has closed, too: bytes that nobody reads
/// would reset the connection and take the last words with them.
pub(crate) async fn hang_up(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
    stream.shutdown().await?;
    let mut scratch = [0; 1024];
    while stream.read(&mut scratch).await? > 0 {}
    Ok(())
}
