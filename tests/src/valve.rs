//! A stream that is read only while its valve is open, so that a test can fill the buffers behind it.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

/// Opens and shuts the reading half of a [`Valved`] stream. It begins open.
#[derive(Clone, Debug, Default)]
pub struct Valve(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    reading: Mutex<Reading>,
    full: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Reading {
    shut: bool,
    waiting: Option<Waker>,
}

impl Valve {
    /// From now on nothing is read.
    ///
    /// # Panics
    ///
    /// When somebody has panicked while it was held.
    pub fn shut(&self) {
        self.0.full.send_replace(false);
        self.0.reading.lock().unwrap().shut = true;
    }

    /// Reading goes on.
    ///
    /// # Panics
    ///
    /// When somebody has panicked while it was held.
    pub fn open(&self) {
        let mut reading = self.0.reading.lock().unwrap();
        reading.shut = false;
        let waiting = reading.waiting.take();
        drop(reading);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Waits until the system has taken no more bytes since it was shut: the buffer towards the other
    /// side is full.
    ///
    /// # Panics
    ///
    /// Never: the valve holds what is waited for.
    pub async fn full(&self) {
        self.0.full.subscribe().wait_for(|full| *full).await.expect("the valve is there");
    }

    fn note<T>(&self, written: &Poll<T>) {
        if written.is_pending() {
            self.0.full.send_replace(true);
        }
    }
}

/// A stream with a [`Valve`].
#[derive(Debug)]
pub struct Valved<S> {
    stream: S,
    valve: Valve,
}

impl<S> Valved<S> {
    /// This stream, read while `valve` is open.
    pub fn new(stream: S, valve: Valve) -> Self {
        Self { stream, valve }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Valved<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut reading = self.valve.0.reading.lock().unwrap();
        if reading.shut {
            reading.waiting = Some(cx.waker().clone());
            return Poll::Pending;
        }
        drop(reading);
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Valved<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.valve.note(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.valve.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
