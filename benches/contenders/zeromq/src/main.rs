//! ZeroMQ, as its guide has it: one context with one I/O thread, asynchronous sockets (DEALER and
//! ROUTER for calls, PUSH and PULL for one-way messages), bodies in parts of their own that are never
//! copied. The small message is in bincode.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::LazyLock;
use std::sync::atomic::Ordering;
use std::thread;

use bincode::config::{Configuration, standard};
use bincode::serde::{decode_from_slice, encode_into_std_write};
use bytes::Bytes;
use driver::{Contender, Counts, HANDLED, Message, Ready, Result, Runtime};
use driver::{Small as _, Stop, Variant};
use serde::{Deserialize, Serialize};
use zmq::{Context, DEALER, PULL, PUSH, ROUTER, SNDMORE, Socket, SocketType};

static CONTEXT: LazyLock<Context> = LazyLock::new(Context::new);
const CONFIG: Configuration = standard();

/// The first part of a request, after the identity of the connection.
#[derive(Serialize, Deserialize)]
enum Request {
    Call(Message),
    /// The body is the next part.
    Echo,
    Handled,
}

struct ZeroMq {
    calls: Socket,
    /// Connected when it is needed.
    one_way: Option<Socket>,
    place: PathBuf,
    /// Used again for each message.
    output: Vec<u8>,
}

impl Contender for ZeroMq {
    type Message = Message;

    async fn serve(place: &Path, ready: Ready) -> Result<()> {
        let (calls, one_way) = (socket(ROUTER)?, socket(PULL)?);
        calls.bind(&endpoint(place, "calls"))?;
        one_way.bind(&endpoint(place, "one-way"))?;
        ready.listening()?;
        thread::spawn(move || count(&one_way));
        answer(&calls)
    }

    async fn connect(place: &Path) -> Result<Self> {
        let calls = socket(DEALER)?;
        calls.connect(&endpoint(place, "calls"))?;
        Ok(Self { calls, one_way: None, place: place.to_owned(), output: Vec::new() })
    }

    async fn call(&mut self, message: Message) -> Result<Message> {
        self.send(&Request::Call(message))?;
        self.reply()
    }

    async fn pump(&mut self, in_flight: usize, stop: &Stop) -> Result<Counts> {
        let send = |client: &mut Self, message| client.send(&Request::Call(message));
        driver::by_messages(self, in_flight, stop, send, |client| client.reply())
    }

    async fn echo(&mut self, body: Bytes) -> Result<usize> {
        self.output.clear();
        encode_into_std_write(Request::Echo, &mut self.output, CONFIG)?;
        self.calls.send(&*self.output, SNDMORE)?;
        self.calls.send(&*body, 0)?;
        Ok(self.calls.recv_msg(0)?.len())
    }

    async fn notify(&mut self, stop: &Stop) -> Result<u64> {
        let one_way = match &mut self.one_way {
            Some(one_way) => one_way,
            none => {
                let one_way = socket(PUSH)?;
                one_way.connect(&endpoint(&self.place, "one-way"))?;
                none.insert(one_way)
            }
        };
        let message = Message::new(1);
        let mut sent = 0;
        while !stop.is_over() {
            self.output.clear();
            encode_into_std_write(&message, &mut self.output, CONFIG)?;
            one_way.send(&*self.output, 0)?;
            sent += 1;
        }
        Ok(sent)
    }

    async fn handled(&mut self) -> Result<u64> {
        self.send(&Request::Handled)?;
        self.reply()
    }
}

impl ZeroMq {
    fn send(&mut self, request: &Request) -> Result<()> {
        self.output.clear();
        encode_into_std_write(request, &mut self.output, CONFIG)?;
        Ok(self.calls.send(&*self.output, 0)?)
    }

    fn reply<T: for<'de> Deserialize<'de>>(&self) -> Result<T> {
        Ok(decode_from_slice(&self.calls.recv_msg(0)?, CONFIG)?.0)
    }
}

/// Serves all connections.
fn answer(calls: &Socket) -> Result<()> {
    let mut output = Vec::new();
    loop {
        let client = calls.recv_msg(0)?;
        let (request, _) = decode_from_slice(&calls.recv_msg(0)?, CONFIG)?;
        output.clear();
        match request {
            Request::Call(message) => {
                encode_into_std_write(message, &mut output, CONFIG)?;
            }
            Request::Handled => {
                encode_into_std_write(HANDLED.load(Ordering::Relaxed), &mut output, CONFIG)?;
            }
            Request::Echo => {
                let body = calls.recv_msg(0)?;
                calls.send(client, SNDMORE)?;
                calls.send(body, 0)?;
                continue;
            }
        }
        calls.send(client, SNDMORE)?;
        calls.send(&*output, 0)?;
    }
}

fn count(one_way: &Socket) -> Result<()> {
    loop {
        let (message, _): (Message, _) = decode_from_slice(&one_way.recv_msg(0)?, CONFIG)?;
        std::hint::black_box(message);
        HANDLED.fetch_add(1, Ordering::Relaxed);
    }
}

fn socket(kind: SocketType) -> Result<Socket> {
    let socket = CONTEXT.socket(kind)?;
    socket.set_linger(0)?;
    Ok(socket)
}

fn endpoint(place: &Path, name: &str) -> String {
    format!("ipc://{}-{name}", place.display())
}

fn main() -> ExitCode {
    let (major, minor, patch) = zmq::version();
    let variant = Variant::of::<ZeroMq>("zeromq", Runtime::Blocking)
        .crates(&["zmq"])
        .also(format!("libzmq {major}.{minor}.{patch}"))
        .note("ipc://; DEALER and ROUTER, PUSH and PULL; bincode; one thread for I/O on each side");
    driver::main(&[variant])
}
