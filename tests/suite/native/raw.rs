//! A peer that writes the frames of the native wire by hand.

use std::path::Path;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;

use super::support::in_time;

pub(crate) const REQUEST: u8 = 1;
pub(crate) const REPLY: u8 = 2;
pub(crate) const ERROR: u8 = 3;
pub(crate) const NOTIFY: u8 = 4;
pub(crate) const CREDIT: u8 = 7;
pub(crate) const PING: u8 = 10;
pub(crate) const PONG: u8 = 11;
pub(crate) const GOAWAY: u8 = 12;

/// A connection whose handshake is done.
pub(crate) struct Raw<S = UnixStream>(pub(crate) S);

/// A frame that came.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) call: u32,
    pub(crate) body: Vec<u8>,
}

impl Raw {
    /// Says HELLO with nothing but an instance, and takes the WELCOME.
    pub(crate) async fn connect(path: &Path) -> Self {
        Self::connect_as(path, &hello()).await
    }

    /// Says this HELLO, and takes the WELCOME.
    pub(crate) async fn connect_as(path: &Path, hello: &[u8]) -> Self {
        Self::greet(in_time(UnixStream::connect(path)).await.unwrap(), hello).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    /// Says this HELLO over a stream, and takes the WELCOME.
    pub(crate) async fn greet(stream: S, hello: &[u8]) -> Self {
        let mut raw = Self(stream);
        raw.write(hello).await;
        let mut head = [0; 5];
        in_time(raw.0.read_exact(&mut head)).await.unwrap();
        assert_eq!(head[0], 6, "a WELCOME");
        let len = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let mut body = vec![0; len as usize];
        in_time(raw.0.read_exact(&mut body)).await.unwrap();
        assert_eq!(body[..6], *b"dip\0\x01\x00", "version 1, ok");
        raw
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        in_time(self.0.write_all(bytes)).await.unwrap();
    }

    /// The next frame; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 16];
        in_time(self.0.read_exact(&mut head)).await.ok()?;
        let number = |at: usize| u32::from_be_bytes(head[at..at + 4].try_into().unwrap());
        let metadata = u16::from_be_bytes([head[2], head[3]]);
        let mut rest = vec![0; usize::from(metadata) + number(12) as usize];
        in_time(self.0.read_exact(&mut rest)).await.ok()?;
        let body = rest.split_off(metadata.into());
        Some(Frame { kind: head[0], flags: head[1], call: number(4), body })
    }

    /// The next frame of this kind.
    pub(crate) async fn next_of(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.next().await.expect("a frame of this kind comes");
            if frame.kind == kind {
                return frame;
            }
        }
    }

    /// What comes until the server closes the connection.
    pub(crate) async fn rest(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await {
            frames.push(frame);
        }
        frames
    }
}

/// A HELLO with no more than it needs.
pub(crate) fn hello() -> Vec<u8> {
    let instance = [&[2, 0, 0, 0, 16][..], &[7; 16]].concat();
    preface(5, &[b"dip\0\x01\x01\0\0", &instance[..]].concat())
}

/// A preface of this kind.
pub(crate) fn preface(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).unwrap();
    [&[kind][..], &len.to_be_bytes(), body].concat()
}

pub(crate) fn frame(kind: u8, call: u32, mtype: u32, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).unwrap();
    [&[kind, 0, 0, 0][..], &call.to_be_bytes(), &mtype.to_be_bytes(), &len.to_be_bytes(), body]
        .concat()
}
