//! A client without a runtime, for programs whose threads may wait.
//!
//! ```no_run
//! use dip::blocking::Client;
//! use dip::builtin::Stdout;
//!
//! fn main() -> dip::Result<()> {
//!     let mut client = Client::connect("/tmp/run.sock")?;
//!     client.send(&Stdout("hello".into()))?;
//!     client.close()
//! }
//! ```

mod builder;
mod classic;
mod dial;
mod exchange;
mod native;
#[cfg(test)]
mod tests;
mod timeout;

use std::fmt;
use std::os::fd::OwnedFd;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

pub use builder::ClientBuilder;
pub use timeout::Timeout;

use crate::call::{self, Message, Unanswered, Way};
use crate::client::Wire;
use crate::codec::{self, BodyMut, Codec, EncodeError, OwnedBody};
use crate::error::{CallError, Error, Reason, Result};
use crate::mtype::Mtype;
use crate::process::Process;
use crate::protocol::{Acknowledged, NoError, Protocol};
use crate::session::native::Outcome;
use crate::transport::{Address, AddressError, Socket};
use crate::value::{Value, to_value};

use dial::{Line, Target};

/// A client of one server that needs no runtime: each method waits on the thread that calls it.
///
/// It is one connection, of the native wire towards a dip server and of the classic one towards a
/// Python server; [`wire`](Self::wire) tells. A message has the whole connection until it is
/// answered, which is why the methods take `&mut self`: nobody else reads what comes. Threads that
/// are to call at the same time have a client each, or use [`dip::Client`](crate::Client). It may
/// be used on a thread of an async runtime, and blocks that thread.
///
/// A server cannot call it: [`Peer::call`](crate::Peer::call) there is
/// [`Reason::NotSupported`]. When the server is restarted, the next
/// message connects again; one that was under way is
/// [`ConnectionLost`](crate::CallError::ConnectionLost). After a `fork`, every message in the child
/// is [`Reason::Forked`], and the parent's client goes on.
///
/// When it is dropped, it says goodbye; [`close`](Self::close) also waits until what was sent has
/// arrived.
///
/// ```rust,standalone_crate
/// use dip::{Protocol, blocking::Client};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Protocol)]
/// #[mtype(b'A')]
/// #[protocol(reply = i64)]
/// struct Add { a: i64, b: i64 }
///
/// # fn example() -> dip::Result<()> {
/// let mut client = Client::connect("/tmp/run.sock")?;
/// assert_eq!(client.call(&Add { a: 1, b: 2 })?, 3);
/// # Ok(()) }
/// # fn main() {}
/// ```
pub struct Client {
    target: Target,
    /// The time of a message that says nothing of it.
    timeout: Option<Duration>,
    /// The time of the next messages, whatever they say.
    given: Option<Duration>,
    wire: Wire,
    line: Option<Line>,
    /// A connection before this one was lost with one-way messages on it that nobody has confirmed.
    in_doubt: bool,
    process: Process,
}

impl Client {
    /// Connects to the server at [`address`](Address) with the options of [`builder`](Self::builder)
    /// as they are: a random id, 10 s for each message (5 s on the classic wire), the wire that the
    /// server speaks.
    ///
    /// ```no_run
    /// # fn example() -> dip::Result<()> {
    /// let client = dip::blocking::Client::connect("tcp:localhost:7000")?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`ClientBuilder::connect`].
    pub fn connect(address: impl TryInto<Address, Error: Into<AddressError>>) -> Result<Self> {
        Self::builder(address).connect()
    }

    /// Begins a client of the server at [`address`](Address): a path, a TCP port of this machine, or
    /// an inherited descriptor.
    ///
    /// A bad address is an error of [`connect`](ClientBuilder::connect).
    ///
    /// ```no_run
    /// # fn example() -> dip::Result<()> {
    /// use std::time::Duration;
    ///
    /// let client = dip::blocking::Client::builder("/tmp/run.sock")
    ///     .timeout(Duration::from_secs(1))
    ///     .connect()?;
    /// # Ok(()) }
    /// ```
    pub fn builder(address: impl TryInto<Address, Error: Into<AddressError>>) -> ClientBuilder {
        ClientBuilder::new(address.try_into().map_err(Into::into))
    }

    /// Begins a client over a stream socket that is connected already, as one end of a socket pair.
    /// It speaks the native wire, and does not connect again: what is sent after the end is
    /// [`Reason::Gone`].
    ///
    /// It takes a socket and not any stream, because a wait for one can be ended by the clock.
    ///
    /// ```no_run
    /// # fn example() -> dip::Result<()> {
    /// use std::os::unix::net::UnixStream;
    ///
    /// let (ours, theirs) = UnixStream::pair()?;
    /// # drop(theirs);
    /// let client = dip::blocking::Client::over(ours).connect()?;
    /// # Ok(()) }
    /// ```
    pub fn over(socket: impl Into<OwnedFd>) -> ClientBuilder {
        ClientBuilder::over(Socket::over(socket.into()))
    }

    fn new(target: Target, timeout: Option<Duration>, line: Line) -> Self {
        let (wire, process) = (line.wire(), Process::current());
        Self { target, timeout, given: None, wire, line: Some(line), in_doubt: false, process }
    }

    /// The wire that is spoken with the server, as of the last connection.
    ///
    /// ```no_run
    /// # fn example(client: dip::blocking::Client) {
    /// if client.wire() == dip::Wire::Classic {
    ///     println!("the server may be a Python one");
    /// }
    /// # }
    /// ```
    pub fn wire(&self) -> Wire {
        self.wire
    }

    /// Gives what is sent with the result this time, from the call of the method to the reply,
    /// whatever the message or the client says.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use dip::builtin::Stdout;
    ///
    /// # fn example(mut client: dip::blocking::Client) -> dip::Result<()> {
    /// client.timeout(Duration::from_millis(100)).send(&Stdout("now or never".into()))?;
    /// # Ok(()) }
    /// ```
    pub fn timeout(&mut self, time: Duration) -> Timeout<'_> {
        Timeout::new(self, time)
    }

    /// Calls the server and waits for its reply.
    ///
    /// The message has the time that its type declares (`deadline`), or else the client's. When that
    /// is over, the server is told, and stops the handler.
    ///
    /// ```rust,standalone_crate
    /// # use dip::Protocol; use serde::{Serialize, Deserialize};
    /// #[derive(Serialize, Deserialize, Protocol)]
    /// #[mtype(b'A')]
    /// #[protocol(reply = i64)]
    /// struct Add { a: i64, b: i64 }
    ///
    /// # fn example(mut client: dip::blocking::Client) -> dip::Result<()> {
    /// let sum = client.call(&Add { a: 1, b: 2 })?;
    /// assert_eq!(sum, 3);
    /// # Ok(()) }
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError`], which says of each whether the message may have been handled: those of
    /// [`dip::Client::call`](crate::Client::call).
    pub fn call<M: Protocol>(&mut self, message: &M) -> Result<M::Reply, CallError<M::Error>> {
        match self.exchange(Message::of(message, Way::Call, None)) {
            Ok(mut body) => call::reply_of::<M>(&mut body),
            Err(Unanswered::Here(error)) => Err(error.widen()),
            Err(Unanswered::There(remote, detail)) => Err(CallError::from_native(remote, &detail)),
        }
    }

    /// Sends a message and waits until it was acknowledged, which is when its handler has returned:
    /// [`call`](Self::call) for messages that reply `()`, on either wire.
    ///
    /// On the classic wire, sending [`SetConnectionId`](crate::builtin::SetConnectionId) gives the
    /// client that id, once it was acknowledged.
    ///
    /// ```no_run
    /// use dip::builtin::Header;
    ///
    /// # fn example(mut client: dip::blocking::Client) -> dip::Result<()> {
    /// client.send(&Header { header: Some("job 42".into()) })?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call).
    pub fn send<M: Acknowledged>(&mut self, message: &M) -> Result<(), CallError<M::Error>> {
        self.call(message)
    }

    /// Sends a one-way message: returns once it was handed to the system. A server that is slow to
    /// handle them holds it back until there is credit for it.
    ///
    /// Nobody says what became of it; [`flush`](Self::flush) waits until it was dispatched.
    ///
    /// ```no_run
    /// use dip::builtin::Stdout;
    ///
    /// # fn example(mut client: dip::blocking::Client) -> dip::Result<()> {
    /// for line in ["one", "two", "three"] {
    ///     client.notify(&Stdout(line.into()))?;
    /// }
    /// client.flush()?; // all three have come to their handlers
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call), but none of the server's;
    /// [`Reason::SlowPeer`] when there was no credit or no room in time.
    pub fn notify<M: Protocol>(&mut self, message: &M) -> Result<(), CallError<NoError>> {
        self.acknowledged(Message::of(message, Way::Notify, None))
    }

    /// Waits until the server has dispatched everything that was sent before: the handlers have been
    /// started, or wait for their turn in a lane. With a classic server there is nothing to wait
    /// for.
    ///
    /// ```no_run
    /// # fn example(mut client: dip::blocking::Client) -> dip::Result<()> {
    /// client.flush()
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Deadline`] after the client's time, and [`Reason::Forked`] in a forked child.
    /// [`Error::ConnectionLost`] when a connection has ended, now or earlier, on which there were
    /// one-way messages that the server had not confirmed to a flush: nobody knows whether they were
    /// dispatched. Each loss is told once, by the next `flush` or [`close`](Self::close).
    ///
    /// A connection that ends when all of its one-way messages were confirmed, or on which there was
    /// none, is no error: its calls have told what became of them.
    pub fn flush(&mut self) -> Result<()> {
        self.check().map_err(Error::NotSent)?;
        if std::mem::take(&mut self.in_doubt) {
            return Err(Error::ConnectionLost);
        }
        let deadline = self.deadline(None);
        let Some(Line::Native(connection)) = &mut self.line else { return Ok(()) };
        match connection.flush(deadline) {
            Some(Outcome::Flushed) => Ok(()),
            Some(Outcome::Late { .. }) => Err(Error::Deadline { sent: true }),
            _ => Err(Error::ConnectionLost),
        }
    }

    /// Sends anything that serde can serialize as JSON (`J`) and waits for the acknowledgement.
    ///
    /// ```no_run
    /// # fn example(mut client: dip::blocking::Client) -> dip::Result<()> {
    /// client.send_json(&serde_json::json!({"hello": "world"}))?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call).
    pub fn send_json<T: Serialize + ?Sized>(
        &mut self,
        value: &T,
    ) -> Result<(), CallError<NoError>> {
        self.send_as(b'J', |body| codec::json::encode(value, body))
    }

    /// Sends anything that serde can serialize as a Python pickle (`P`) of plain data and waits for
    /// the acknowledgement.
    ///
    /// ```no_run
    /// # fn example(mut client: dip::blocking::Client) -> dip::Result<()> {
    /// client.send_pickle(&("task", 7, [1.5, f64::NAN]))?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call).
    pub fn send_pickle<T: Serialize + ?Sized>(
        &mut self,
        value: &T,
    ) -> Result<(), CallError<NoError>> {
        self.send_as(b'P', |body| <codec::Pickle as Codec<Value>>::encode(&to_value(value)?, body))
    }

    /// Sends a body as it is under any type and waits for the acknowledgement.
    ///
    /// ```no_run
    /// # fn example(mut client: dip::blocking::Client) -> dip::Result<()> {
    /// client.send_raw(b'J', "[1, 2]")?;
    /// client.send_raw(dip::Mtype::byte(0xf0), vec![1, 2, 3])?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call).
    pub fn send_raw(
        &mut self,
        mtype: impl Into<Mtype>,
        body: impl Into<Bytes>,
    ) -> Result<(), CallError<NoError>> {
        self.acknowledged(Ok(Message::raw(mtype.into(), body.into())))
    }

    /// Sends a body as it is under any type and waits for the reply, of which it gives the bytes as
    /// they came, as [`dip::Client::call_raw`](crate::Client::call_raw) does: none where the message
    /// was only acknowledged.
    ///
    /// ```no_run
    /// # fn example(mut client: dip::blocking::Client) -> dip::Result<()> {
    /// let reply: dip::Bytes = client.call_raw(dip::Mtype::name("jobs.count"), "")?;
    /// # _ = reply; Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call).
    pub fn call_raw(
        &mut self,
        mtype: impl Into<Mtype>,
        body: impl Into<Bytes>,
    ) -> Result<Bytes, CallError<NoError>> {
        self.answered(Ok(Message::raw(mtype.into(), body.into())))
    }

    /// Waits until the server has dispatched what was sent, and closes the connection.
    ///
    /// ```no_run
    /// # fn example(client: dip::blocking::Client) -> dip::Result<()> {
    /// client.close() // everything sent before has come to its handler
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`flush`](Self::flush): [`Error::ConnectionLost`] if one-way messages may be lost, and
    /// no error if the connection was lost when there was nothing to be unsure of.
    pub fn close(mut self) -> Result<()> {
        let flushed = self.flush();
        if let Some(Line::Native(connection)) = &mut self.line
            && !self.process.is_surely_forked()
        {
            connection.close();
        }
        flushed
    }

    fn send_as(
        &mut self,
        mtype: u8,
        encode: impl FnOnce(&mut BodyMut<'_>) -> Result<(), EncodeError>,
    ) -> Result<(), CallError<NoError>> {
        self.acknowledged(Message::encode(Mtype::byte(mtype), None, encode))
    }

    fn acknowledged(&mut self, message: Result<Message, Reason>) -> Result<(), CallError<NoError>> {
        self.answered(message).map(drop)
    }

    fn answered(&mut self, message: Result<Message, Reason>) -> Result<Bytes, CallError<NoError>> {
        self.exchange(message).map(OwnedBody::into_bytes).map_err(|unanswered| match unanswered {
            Unanswered::Here(error) => error,
            Unanswered::There(remote, _) => CallError::Rejected(remote),
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("target", &self.target)
            .field("wire", &self.wire)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
