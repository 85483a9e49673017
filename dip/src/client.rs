//! A client: what it is made of, and what users hold of it.

mod builder;
mod classic;
mod dial;
mod shared;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

pub(crate) use builder::CONNECT;
pub use builder::ClientBuilder;
pub(crate) use classic::frame as classic_frame;
pub(crate) use dial::{CLASSIC_ONLY, Unreached, is_remembered, remember, unwelcome};
pub(crate) use shared::{CLASSIC_TIMEOUT, NATIVE_TIMEOUT};

use crate::call::{self, Call, Message, Way};
use crate::codec::{self, BodyMut, Codec, EncodeError};
use crate::context::{Scoped, Within, sealed};
use crate::error::{CallError, Reason, Result};
use crate::link::Scope;
use crate::mtype::Mtype;
use crate::protocol::{Acknowledged, NoError, Protocol};
use crate::transport::{Address, AddressError, Stream};
use crate::value::{Value, to_value};

use shared::Shared;

/// A client of one server: a handle, cheap to clone.
///
/// Towards a dip server it is one connection of the native wire, on which any number of messages
/// travel at once, both ways: a client with a [`router`](ClientBuilder::router) also handles what the
/// server sends. Towards a classic server, as the Python package is one, it keeps a pool of
/// connections, each of which carries one message at a time; a connection on which a reply is still
/// due is never used again. Which of the two it is, the first connection finds out
/// ([`wire`](Self::wire)). When the server is restarted, the next message connects again; what was
/// under way is [`ConnectionLost`](crate::CallError::ConnectionLost).
///
/// A client belongs to the tokio runtime that it was made in; its methods need one with I/O and time.
/// After a `fork`, every message in the child is [`Reason::Forked`](crate::Reason::Forked), and the
/// parent's client goes on.
///
/// When the last clone is dropped, what was sent still leaves, for a second at most;
/// [`close`](Self::close) also waits until it has arrived.
///
/// ```no_run
/// use dip::builtin::Stdout;
///
/// # async fn example() -> dip::Result<()> {
/// let client = dip::Client::connect("/tmp/run.sock").await?;
/// client.send(&Stdout("hello".into())).await?;
/// client.send_json(&serde_json::json!({"done": 3, "of": 10})).await?;
/// client.close().await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    scope: Option<Scope>,
}

/// Which of dip's two wires is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Wire {
    /// That of the Python package deepfos-ipc 1.3.1: acknowledged messages, nothing else.
    Classic,
    /// dip's own: typed replies and errors, one-way messages, calls both ways, many at a time.
    Native,
}

impl Client {
    /// Connects to the server at [`address`](Address) with the options of [`builder`](Self::builder)
    /// as they are: a random id, 10 s for each message (5 s on the classic wire), the wire that the
    /// server speaks.
    ///
    /// ```no_run
    /// # async fn example() -> dip::Result<()> {
    /// let client = dip::Client::connect("tcp:localhost:7000").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`ClientBuilder::connect`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    pub async fn connect(
        address: impl TryInto<Address, Error: Into<AddressError>>,
    ) -> Result<Self> {
        Self::builder(address).connect().await
    }

    /// Begins a client of the server at [`address`](Address).
    ///
    /// A bad address is an error of [`connect`](ClientBuilder::connect).
    ///
    /// ```no_run
    /// # async fn example() -> dip::Result<()> {
    /// use std::time::Duration;
    ///
    /// let client = dip::Client::builder("/tmp/run.sock")
    ///     .timeout(Duration::from_secs(1))
    ///     .pool_size(4)
    ///     .connect()
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn builder(address: impl TryInto<Address, Error: Into<AddressError>>) -> ClientBuilder {
        ClientBuilder::new(address.try_into().map_err(Into::into))
    }

    /// Begins a client over a stream that is connected already: a child's standard input and output,
    /// one end of [`pair`](crate::pair), a TLS stream. It speaks the native wire, and does not connect
    /// again: what is sent after the end is [`Reason::Gone`](crate::Reason::Gone).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> dip::Result<()> {
    /// let (ours, theirs) = dip::pair();
    /// let server = dip::Connection::over(theirs, dip::Router::linked());
    /// # drop(server);
    /// let client = dip::Client::over(ours);
    /// # drop(client);
    /// # Ok(()) }
    /// ```
    pub fn over(
        stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    ) -> ClientBuilder {
        ClientBuilder::over(Stream::over(stream))
    }

    /// The wire that is spoken with the server now.
    ///
    /// ```no_run
    /// # async fn example(client: dip::Client) {
    /// if client.wire() == dip::Wire::Classic {
    ///     println!("the server may be a Python one");
    /// }
    /// # }
    /// ```
    pub fn wire(&self) -> Wire {
        self.shared.wire()
    }

    /// Calls the server and waits for its reply.
    ///
    /// The message is encoded at once and not kept. It has the time that its type declares
    /// (`deadline`), or else the client's.
    ///
    /// ```rust,standalone_crate
    /// # use dip::Protocol; use serde::{Serialize, Deserialize};
    /// #[derive(Serialize, Deserialize, Protocol)]
    /// #[mtype(b'A')]
    /// #[protocol(reply = i64)]
    /// struct Add { a: i64, b: i64 }
    ///
    /// # async fn example(client: dip::Client) -> dip::Result<()> {
    /// let sum = client.call(&Add { a: 1, b: 2 }).await?;
    /// assert_eq!(sum, 3);
    /// # Ok(()) }
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError`](crate::CallError), which says of each whether the message may have been
    /// handled. Those of a message that was certainly not sent, as [`Reason`](crate::Reason): a value
    /// that does not encode; a body that is longer than the type, the server or the wire allows; a
    /// type of which the server knows another version; a server that is not there; with a classic
    /// server, whatever its wire cannot carry: a reply, a name, an empty body.
    ///
    /// `ok` with something behind it is no reply of a classic server, and the end of that
    /// connection: [`ConnectionLost`](crate::CallError::ConnectionLost), because the message may
    /// have been handled. An error text is read until 50 ms without more of it, or 64 KiB.
    pub fn call<M: Protocol>(&self, message: &M) -> Call<M::Reply, M::Error> {
        Call::new::<M>(self.shared.clone(), Message::of(message, Way::Call, self.scope))
    }

    /// Sends a message and waits until it was acknowledged, which is when its handler has returned:
    /// [`call`](Self::call) for messages that reply `()`, on either wire.
    ///
    /// On the classic wire, sending [`SetConnectionId`](crate::builtin::SetConnectionId) gives the
    /// whole client that id, once it was acknowledged.
    ///
    /// ```no_run
    /// use dip::builtin::Header;
    ///
    /// # async fn example(client: dip::Client) -> dip::Result<()> {
    /// client.send(&Header { header: Some("job 42".into()) }).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call).
    pub fn send<M: Acknowledged>(&self, message: &M) -> Call<(), M::Error> {
        self.call(message)
    }

    /// Sends a one-way message: ready once it is on its way. A server that is slow to handle them
    /// holds it back until there is credit for it.
    ///
    /// Nobody says what became of it; [`flush`](Self::flush) waits until it was dispatched.
    /// [`try_notify`](Self::try_notify) does not wait.
    ///
    /// ```no_run
    /// use dip::builtin::Stdout;
    ///
    /// # async fn example(client: dip::Client) -> dip::Result<()> {
    /// for line in ["one", "two", "three"] {
    ///     client.notify(&Stdout(line.into())).await?;
    /// }
    /// client.flush().await?; // all three have come to their handlers
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call), but none of the server's;
    /// [`Reason::SlowPeer`](crate::Reason::SlowPeer) when there was no credit in time.
    pub fn notify<M: Protocol>(&self, message: &M) -> Call {
        Call::acknowledged(self.shared.clone(), Message::of(message, Way::Notify, self.scope))
    }

    /// Sends a one-way message now or not at all: for code that cannot wait, and the cheapest way to send
    /// many. What was sent leaves as soon as the runtime has run the connection, in the order of the
    /// messages that were sent otherwise.
    ///
    /// ```no_run
    /// use dip::builtin::Stdout;
    /// use dip::{CallError, Reason};
    ///
    /// # async fn example(client: dip::Client) -> dip::Result<()> {
    /// for number in 0..1_000_000 {
    ///     let line = Stdout(number.to_string());
    ///     match client.try_notify(&line) {
    ///         // The server has enough to do: waits until it takes more.
    ///         Err(CallError::NotSent(Reason::SlowPeer)) => client.notify(&line).await?,
    ///         sent => sent?,
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Reason::SlowPeer`](crate::Reason::SlowPeer) if the message would have to wait for credit or for
    /// room; [`Reason::Disconnected`](crate::Reason::Disconnected) if it would have to wait for a
    /// connection, which [`notify`](Self::notify) makes; the others of `notify`.
    pub fn try_notify<M: Protocol>(&self, message: &M) -> Result<(), CallError<NoError>> {
        call::offer(&*self.shared, message, self.scope.as_ref(), || self.shared.why_later())
    }

    /// Waits until the server has dispatched everything that was sent before: the handlers have been
    /// started, or wait for their turn in a lane. With a classic server there is nothing to wait
    /// for.
    ///
    /// # Errors
    ///
    /// [`Error::Deadline`](crate::Error::Deadline) after the client's time.
    /// [`Error::ConnectionLost`](crate::Error::ConnectionLost) when a connection has ended, now or
    /// earlier, on which there were one-way messages that the server had not confirmed to a flush:
    /// nobody knows whether they were dispatched. Each loss is told once: to the flushes that wait
    /// when it happens, or else to the next `flush` or [`close`](Self::close), by whichever clone.
    ///
    /// A connection that ends when all of its one-way messages were confirmed, or on which there was
    /// none, is no error: its calls have told what became of them.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped loses nothing.
    pub async fn flush(&self) -> Result<()> {
        self.shared.flush().await
    }

    /// Sends anything that serde can serialize as JSON (`J`) and waits for the acknowledgement.
    ///
    /// ```no_run
    /// # async fn example(client: dip::Client) -> dip::Result<()> {
    /// client.send_json(&serde_json::json!({"hello": "world"})).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call).
    pub fn send_json<T: Serialize + ?Sized>(&self, value: &T) -> Call {
        self.send_as(b'J', |body| codec::json::encode(value, body))
    }

    /// Sends anything that serde can serialize as a Python pickle (`P`) of plain data and waits for
    /// the acknowledgement.
    ///
    /// ```no_run
    /// # async fn example(client: dip::Client) -> dip::Result<()> {
    /// client.send_pickle(&("task", 7, [1.5, f64::NAN])).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call).
    pub fn send_pickle<T: Serialize + ?Sized>(&self, value: &T) -> Call {
        self.send_as(b'P', |body| <codec::Pickle as Codec<Value>>::encode(&to_value(value)?, body))
    }

    /// Sends a body as it is under any type and waits for the acknowledgement.
    ///
    /// ```no_run
    /// # async fn example(client: dip::Client) -> dip::Result<()> {
    /// client.send_raw(b'J', "[1, 2]").await?;
    /// client.send_raw(dip::Mtype::byte(0xf0), vec![1, 2, 3]).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call).
    pub fn send_raw(&self, mtype: impl Into<Mtype>, body: impl Into<Bytes>) -> Call {
        self.acknowledged(Ok(Message::raw(mtype.into(), body.into())))
    }

    /// Sends a body as it is under any type and waits for the reply, of which it gives the bytes as
    /// they came: for tools that pass messages on without knowing their types.
    ///
    /// A reply of `()` has no bytes, but in JSON, where it is `null`. On the classic wire there are
    /// none: a message is only acknowledged. An error that the message declares arrives as
    /// [`Rejected`](crate::CallError::Rejected), with [`Code::App`](crate::Code::App) and its text.
    ///
    /// ```no_run
    /// # async fn example(client: dip::Client) -> dip::Result<()> {
    /// let reply: dip::Bytes = client.call_raw(dip::Mtype::name("jobs.count"), "").await?;
    /// println!("{} bytes", reply.len());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call).
    pub fn call_raw(&self, mtype: impl Into<Mtype>, body: impl Into<Bytes>) -> Call<Bytes> {
        let message =
            Message { scope: self.scope.map(Box::new), ..Message::raw(mtype.into(), body.into()) };
        Call::raw(self.shared.clone(), Ok(message))
    }

    /// Waits until the connection has ended: a worker that only handles what its master sends learns so
    /// that the master is gone. A message that is sent afterwards connects again.
    ///
    /// On the classic wire connections come and go, and this never returns.
    ///
    /// ```no_run
    /// # async fn example() -> dip::Result<()> {
    /// let router = dip::Router::group("worker");
    /// let master = dip::Client::builder("/tmp/run.sock").router(router).connect().await?;
    /// master.disconnected().await;
    /// # Ok(()) }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped loses nothing.
    pub async fn disconnected(&self) {
        self.shared.disconnected().await;
    }

    /// Lets what is under way finish, waits until the server has dispatched what was sent, and closes
    /// the connection. A message that is sent later, by any clone, is
    /// [`Reason::Closed`](crate::Reason::Closed).
    ///
    /// Messages under way are those whose futures were polled before; each ends within its own time,
    /// and `close` waits no longer than that. So one that is kept and not polled any more delays it
    /// until its time is over; after that nobody waits for its reply.
    ///
    /// ```no_run
    /// # async fn example(client: dip::Client) -> dip::Result<()> {
    /// client.close().await?; // everything sent before has its answer
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Reason::Forked`](crate::Reason::Forked) in a forked child; those of [`flush`](Self::flush):
    /// [`ConnectionLost`](crate::Error::ConnectionLost) if one-way messages may be lost, and no error
    /// if the connection was lost when there was nothing to be unsure of.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, later messages are refused all the same, and connections live on
    /// until the client is dropped.
    pub async fn close(&self) -> Result<()> {
        self.shared.close().await
    }

    fn send_as(
        &self,
        mtype: u8,
        encode: impl FnOnce(&mut BodyMut<'_>) -> Result<(), EncodeError>,
    ) -> Call {
        self.acknowledged(Message::encode(Mtype::byte(mtype), None, encode))
    }

    fn acknowledged(&self, message: Result<Message, Reason>) -> Call {
        let message = message.map(|message| Message { scope: self.scope.map(Box::new), ..message });
        Call::acknowledged(self.shared.clone(), message)
    }
}

impl sealed::Sealed for Client {}

impl Scoped for Client {
    fn within(&self, scope: Within) -> Self {
        Self { scope: Some(scope.0), shared: self.shared.clone() }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("shared", &self.shared)
            .field("scoped", &self.scope.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CallError, Error};

    async fn connect(path: &std::path::Path) -> Client {
        Client::builder(path).id(None).wire(Wire::Classic).connect().await.unwrap()
    }

    #[tokio::test]
    async fn in_a_child_nothing_is_sent_and_nothing_closed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let client = connect(&path).await;

        let child = Client { shared: Arc::new(client.shared.in_a_child()), scope: None };
        let error = child.send_raw(b'O', "x").await.unwrap_err();
        assert!(matches!(error, CallError::NotSent(Reason::Forked)), "{error:?}");
        let error = child.close().await.unwrap_err();
        assert!(matches!(error, Error::NotSent(Reason::Forked)), "{error}");
        drop(child);

        let (server, _) = listener.accept().await.unwrap();
        let nothing = server.try_read(&mut [0]).unwrap_err();
        assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    }

    #[tokio::test]
    async fn a_message_under_way_is_left_to_the_process_that_sent_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let _listener = tokio::net::UnixListener::bind(&path).unwrap();
        let client = connect(&path).await;
        let mut sending = client.send_raw(b'O', "x");
        assert!(
            std::future::poll_fn(|cx| {
                let pending = std::pin::Pin::new(&mut sending).poll(cx).is_pending();
                std::task::Poll::Ready(pending)
            })
            .await
        );
        sending.pretend_forked();
        assert!(matches!(sending.await, Err(CallError::ConnectionLost)));
    }
}
