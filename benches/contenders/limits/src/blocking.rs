//! The standard library's Unix sockets, a thread for each connection.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;

use bytes::Bytes;
use driver::{Contender, Counts, Message, Ready, Result, Stop};

use crate::frame::{Frame, HEADER, Kind, header, put};
use crate::requests::Requests;
use crate::session::{BATCHED, BYTES, Input, Session, Step};

pub(crate) struct Blocking {
    stream: UnixStream,
    input: Input,
    output: Vec<u8>,
    one: Requests<BYTES>,
}

impl Blocking {
    fn frame(&mut self) -> Result<Frame> {
        loop {
            if let Some(frame) = self.input.frame() {
                return Ok(frame);
            }
            read(&mut self.stream, &mut self.input)?;
        }
    }
}

impl Contender for Blocking {
    type Message = Message;

    async fn serve(place: &Path, ready: Ready) -> Result<()> {
        let listener = UnixListener::bind(place)?;
        ready.listening()?;
        loop {
            let (stream, _) = listener.accept()?;
            thread::spawn(|| answer(stream));
        }
    }

    async fn connect(place: &Path) -> Result<Self> {
        let (stream, one) = (UnixStream::connect(place)?, Requests::calls(1)?);
        Ok(Self { stream, input: Input::new(), output: Vec::new(), one })
    }

    async fn call(&mut self, request: Message) -> Result<Message> {
        self.stream.write_all(&self.one.frames)?;
        self.frame()?;
        Ok(request)
    }

    async fn pump(&mut self, in_flight: usize, stop: &Stop) -> Result<Counts> {
        let mut requests = Requests::<BYTES>::calls(in_flight)?;
        let mut calls = 0;
        while !stop.is_over() {
            requests.again(Kind::Call)?;
            self.stream.write_all(&requests.frames)?;
            while !requests.answered(&mut self.input)? {
                read(&mut self.stream, &mut self.input)?;
            }
            calls += requests.number();
        }
        Ok(Counts::of(calls))
    }

    async fn echo(&mut self, body: Bytes) -> Result<usize> {
        self.stream.write_all(&header(Kind::Echo, body.len()))?;
        self.stream.write_all(&body)?;
        Ok(self.frame()?.all.len() - HEADER)
    }

    async fn notify(&mut self, stop: &Stop) -> Result<u64> {
        let requests = Requests::<BYTES>::one_way()?;
        let mut sent = 0;
        while !stop.is_over() {
            self.stream.write_all(&requests.frames)?;
            sent += requests.number();
        }
        Ok(sent)
    }

    async fn handled(&mut self) -> Result<u64> {
        self.output.clear();
        put(Kind::Count, &[], &mut self.output);
        self.stream.write_all(&self.output)?;
        let frame = self.frame()?;
        Ok(u64::from_le_bytes(self.input.at(frame.body()).try_into()?))
    }
}

/// Serves one connection until it ends.
fn answer(mut stream: UnixStream) -> Result<()> {
    let mut session = Session::<BATCHED, BYTES>::new();
    loop {
        match session.step()? {
            Step::Same(range) => stream.write_all(session.input.at(range))?,
            Step::Output => stream.write_all(&session.output)?,
            Step::Read => read(&mut stream, &mut session.input)?,
        }
    }
}

fn read(stream: &mut UnixStream, input: &mut Input) -> Result<()> {
    match stream.read(input.room())? {
        0 => Err("the other side has closed".into()),
        length => {
            input.filled(length);
            Ok(())
        }
    }
}
