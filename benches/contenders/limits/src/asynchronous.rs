//! tokio's Unix sockets.

use std::path::Path;

use bytes::Bytes;
use driver::{Contender, Counts, Message, Ready, Result, Stop};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use crate::frame::{Frame, HEADER, Kind, header, message};
use crate::requests::Requests;
use crate::session::{Input, Session, Step};

pub(crate) struct Asynchronous<const BATCH: bool, const TYPES: bool> {
    stream: UnixStream,
    input: Input,
    output: Vec<u8>,
    one: Requests<TYPES>,
}

impl<const BATCH: bool, const TYPES: bool> Asynchronous<BATCH, TYPES> {
    async fn frame(&mut self) -> Result<Frame> {
        loop {
            if let Some(frame) = self.input.frame() {
                return Ok(frame);
            }
            read(&mut self.stream, &mut self.input).await?;
        }
    }

    async fn send(&mut self, kind: Kind, body: &[u8]) -> Result<()> {
        if body.len() < 4096 {
            self.output.clear();
            self.output.extend_from_slice(&header(kind, body.len()));
            self.output.extend_from_slice(body);
            return Ok(self.stream.write_all(&self.output).await?);
        }
        self.stream.write_all(&header(kind, body.len())).await?;
        Ok(self.stream.write_all(body).await?)
    }
}

impl<const BATCH: bool, const TYPES: bool> Contender for Asynchronous<BATCH, TYPES> {
    type Message = Message;

    async fn serve(place: &Path, ready: Ready) -> Result<()> {
        let listener = UnixListener::bind(place)?;
        ready.listening()?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(answer::<BATCH, TYPES>(stream));
        }
    }

    async fn connect(place: &Path) -> Result<Self> {
        let stream = UnixStream::connect(place).await?;
        let one = Requests::calls(1)?;
        Ok(Self { stream, input: Input::new(), output: Vec::new(), one })
    }

    async fn call(&mut self, request: Message) -> Result<Message> {
        self.one.one(&request)?;
        self.stream.write_all(&self.one.frames).await?;
        let frame = self.frame().await?;
        if TYPES { message(self.input.at(frame.body())) } else { Ok(request) }
    }

    async fn pump(&mut self, in_flight: usize, stop: &Stop) -> Result<Counts> {
        let mut requests = Requests::<TYPES>::calls(in_flight)?;
        let mut calls = 0;
        while !stop.is_over() {
            requests.again(Kind::Call)?;
            if BATCH {
                self.stream.write_all(&requests.frames).await?;
            } else {
                for frame in requests.each() {
                    self.stream.write_all(frame).await?;
                }
            }
            while !requests.answered(&mut self.input)? {
                read(&mut self.stream, &mut self.input).await?;
            }
            calls += requests.number();
        }
        Ok(Counts::of(calls))
    }

    async fn echo(&mut self, body: Bytes) -> Result<usize> {
        self.send(Kind::Echo, &body).await?;
        Ok(self.frame().await?.all.len() - HEADER)
    }

    async fn notify(&mut self, stop: &Stop) -> Result<u64> {
        let mut requests = Requests::<TYPES>::one_way()?;
        let mut sent = 0;
        while !stop.is_over() {
            requests.again(Kind::OneWay)?;
            if BATCH {
                self.stream.write_all(&requests.frames).await?;
            } else {
                for frame in requests.each() {
                    self.stream.write_all(frame).await?;
                }
            }
            sent += requests.number();
        }
        Ok(sent)
    }

    async fn handled(&mut self) -> Result<u64> {
        self.send(Kind::Count, &[]).await?;
        let frame = self.frame().await?;
        Ok(u64::from_le_bytes(self.input.at(frame.body()).try_into()?))
    }
}

/// Serves one connection until it ends.
async fn answer<const BATCH: bool, const TYPES: bool>(mut stream: UnixStream) -> Result<()> {
    let mut session = Session::<BATCH, TYPES>::new();
    loop {
        match session.step()? {
            Step::Same(range) => stream.write_all(session.input.at(range)).await?,
            Step::Output => stream.write_all(&session.output).await?,
            Step::Read => read(&mut stream, &mut session.input).await?,
        }
    }
}

async fn read(stream: &mut UnixStream, input: &mut Input) -> Result<()> {
    match stream.read(input.room()).await? {
        0 => Err("the other side has closed".into()),
        length => {
            input.filled(length);
            Ok(())
        }
    }
}
