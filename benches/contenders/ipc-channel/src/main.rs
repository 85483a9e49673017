//! ipc-channel: a channel there and one back for each connection, with a thread of the server that
//! waits for it; channels of bytes for bodies.
//!
//! A one-shot server takes one connection. The client gets its first channel to the server that way,
//! and sends the ends of all others over it.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::thread;

use bytes::Bytes;
use driver::{Contender, Counts, HANDLED, Message, Ready, Result, Runtime};
use driver::{Small as _, Stop, Variant};
use ipc_channel::ipc::{self, IpcBytesReceiver, IpcBytesSender};
use ipc_channel::ipc::{IpcOneShotServer, IpcReceiver, IpcSender};
use serde::{Deserialize, Serialize};

/// The server's ends of the channels of a connection.
#[derive(Serialize, Deserialize)]
struct Connection {
    requests: IpcReceiver<Request>,
    replies: IpcSender<Reply>,
}

#[derive(Serialize, Deserialize)]
enum Request {
    Call(Message),
    OneWay(Message),
    Handled,
    /// The server sends back what comes here.
    Bodies(IpcBytesReceiver, IpcBytesSender),
}

#[derive(Serialize, Deserialize)]
enum Reply {
    Call(Message),
    Handled(u64),
}

/// The client's channel to the server.
static SERVER: Mutex<Option<IpcSender<Connection>>> = Mutex::new(None);

struct IpcChannel {
    requests: IpcSender<Request>,
    replies: IpcReceiver<Reply>,
    /// Opened when they are needed.
    bodies: Option<(IpcBytesSender, IpcBytesReceiver)>,
}

impl Contender for IpcChannel {
    type Message = Message;

    async fn serve(place: &Path, ready: Ready) -> Result<()> {
        let (server, name) = IpcOneShotServer::new()?;
        fs::write(place, name)?;
        ready.listening()?;
        let (connections, first) = server.accept()?;
        let mut next = Some(first);
        while let Some(connection) = next {
            thread::spawn(move || answer(&connection));
            // Until the client has gone.
            next = connections.recv().ok();
        }
        Ok(())
    }

    async fn connect(place: &Path) -> Result<Self> {
        let (requests, from_client) = ipc::channel()?;
        let (to_client, replies) = ipc::channel()?;
        let mut server = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
        let server = match &mut *server {
            Some(server) => server,
            none => none.insert(IpcSender::connect(fs::read_to_string(place)?)?),
        };
        server.send(Connection { requests: from_client, replies: to_client })?;
        Ok(Self { requests, replies, bodies: None })
    }

    async fn call(&mut self, message: Message) -> Result<Message> {
        self.send(message)?;
        self.reply()
    }

    async fn pump(&mut self, in_flight: usize, stop: &Stop) -> Result<Counts> {
        let send = |client: &mut Self, message| client.send(message);
        driver::by_messages(self, in_flight, stop, send, |client| client.reply())
    }

    async fn echo(&mut self, body: Bytes) -> Result<usize> {
        let (sender, receiver) = match &mut self.bodies {
            Some(bodies) => bodies,
            none => {
                let (sender, from_client) = ipc::bytes_channel()?;
                let (to_client, receiver) = ipc::bytes_channel()?;
                self.requests.send(Request::Bodies(from_client, to_client))?;
                none.insert((sender, receiver))
            }
        };
        sender.send(&body)?;
        Ok(receiver.recv()?.len())
    }

    async fn notify(&mut self, stop: &Stop) -> Result<u64> {
        let message = Message::new(1);
        let mut sent = 0;
        while !stop.is_over() {
            self.requests.send(Request::OneWay(message.clone()))?;
            sent += 1;
        }
        Ok(sent)
    }

    async fn handled(&mut self) -> Result<u64> {
        self.requests.send(Request::Handled)?;
        match self.replies.recv()? {
            Reply::Handled(messages) => Ok(messages),
            Reply::Call(_) => Err("the reply to another call".into()),
        }
    }
}

impl IpcChannel {
    fn send(&self, message: Message) -> Result<()> {
        Ok(self.requests.send(Request::Call(message))?)
    }

    fn reply(&self) -> Result<Message> {
        match self.replies.recv()? {
            Reply::Call(message) => Ok(message),
            Reply::Handled(_) => Err("the reply to another call".into()),
        }
    }
}

/// Serves one connection until it ends.
fn answer(connection: &Connection) -> Result<()> {
    loop {
        match connection.requests.recv()? {
            Request::Call(message) => connection.replies.send(Reply::Call(message))?,
            Request::OneWay(message) => {
                std::hint::black_box(message);
                HANDLED.fetch_add(1, Ordering::Relaxed);
            }
            Request::Handled => {
                connection.replies.send(Reply::Handled(HANDLED.load(Ordering::Relaxed)))?;
            }
            Request::Bodies(bodies, back) => {
                thread::spawn(move || -> Result<()> {
                    loop {
                        back.send(&bodies.recv()?)?;
                    }
                });
            }
        }
    }
}

fn main() -> ExitCode {
    let variant = Variant::of::<IpcChannel>("ipc-channel", Runtime::Blocking)
        .crates(&["ipc-channel"])
        .note("blocking; a thread of the server for each connection");
    driver::main(&[variant])
}
