//! A client: what it is made of, and what users hold of it.

mod builder;
mod sending;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

pub use builder::ClientBuilder;
pub use sending::Sending;

use crate::codec::{self, BodyMut, Codec, EncodeError};
use crate::error::{Error, Reason, Result};
use crate::mtype::Mtype;
use crate::pool::{Frame, Pool};
use crate::protocol::Acknowledged;
use crate::transport::{Address, AddressError};
use crate::value::{Value, to_value};

/// A client of one server: a handle, cheap to clone.
///
/// Towards a classic server it keeps a pool of connections, each of which carries one message at a
/// time: sends of different tasks run side by side, up to the size of the pool, and the rest wait
/// for their turn. A connection on which a reply is still due is never used again, so that no reply
/// is ever taken for the answer to another message. When the server is restarted, the next send
/// connects again.
///
/// A client belongs to the tokio runtime that it was made in; its methods need one with I/O and time.
/// After a `fork`, every send in the child is [`Reason::Forked`], and the parent's client goes on.
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
pub struct Client(Arc<Shared>);

struct Shared {
    pool: Arc<Pool>,
    timeout: Duration,
    app: Option<(String, String)>,
    process: u32,
}

/// Which of dip's two wires is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Wire {
    /// That of the Python package deepfos-ipc 1.3.1: acknowledged messages, nothing else.
    Classic,
    /// dip's own, which this version does not speak yet.
    Native,
}

impl Client {
    /// Connects to the server at `address` (a path, `unix:PATH` or `tcp:HOST:PORT`) with the
    /// options of [`builder`](Self::builder) as they are: a random id, 5 s for each message, 16
    /// connections at most.
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

    /// Begins a client of the server at `address`: a path, `unix:PATH` or `tcp:HOST:PORT`.
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

    /// The wire that is spoken with the server.
    ///
    /// ```no_run
    /// # async fn example(client: dip::Client) {
    /// if client.wire() == dip::Wire::Classic {
    ///     println!("the server may be a Python one");
    /// }
    /// # }
    /// ```
    pub fn wire(&self) -> Wire {
        Wire::Classic
    }

    /// Sends a message and waits until it was acknowledged: a handler has returned.
    ///
    /// The message is encoded at once and not kept. It has the time that its type declares
    /// (`deadline`), or else the client's. Sending [`SetConnectionId`](crate::builtin::SetConnectionId)
    /// gives the whole client that id, once it was acknowledged.
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
    /// [`CallError`](crate::CallError), which says of each whether the message may have been handled.
    /// Those of a message that was certainly not sent, as [`Reason`]: a value that does not encode;
    /// a body over 4 GiB or the type's own limit; with a classic server an empty body, which it
    /// never answers, and a type known by a name; a server that is not there, refuses the id or
    /// closes before the whole message is out.
    ///
    /// `ok` with something behind it is no reply of a classic server, and the end of that
    /// connection: [`ConnectionLost`](crate::CallError::ConnectionLost), because the message may
    /// have been handled. An error text is read until 50 ms without more of it, or 64 KiB.
    pub fn send<M: Acknowledged>(&self, message: &M) -> Sending<M::Error> {
        let frame = sending::encode(M::MTYPE, M::MAX_LEN, |body| message.encode(body));
        self.sending(frame, M::DEADLINE.unwrap_or(self.0.timeout))
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
    /// Those of [`send`](Self::send).
    pub fn send_json<T: Serialize + ?Sized>(&self, value: &T) -> Sending {
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
    /// Those of [`send`](Self::send).
    pub fn send_pickle<T: Serialize + ?Sized>(&self, value: &T) -> Sending {
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
    /// Those of [`send`](Self::send).
    pub fn send_raw(&self, mtype: impl Into<Mtype>, body: impl Into<Bytes>) -> Sending {
        self.sending(sending::raw(mtype.into(), body.into()), self.0.timeout)
    }

    /// Lets what is under way finish, and closes all connections. A message that is sent later, by
    /// any clone, is [`Reason::Closed`].
    ///
    /// Sends under way are those that were polled before; each ends within its own time, and `close`
    /// waits no longer than that. So one that is kept and not polled any more delays it until its
    /// time is over; after that nobody waits for its reply. A client that is only dropped closes its
    /// connections as soon as the last clone and the last send are gone.
    ///
    /// ```no_run
    /// # async fn example(client: dip::Client) -> dip::Result<()> {
    /// client.close().await?; // everything sent before has its answer
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Reason::Forked`] in a forked child.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, later messages are refused all the same, and idle connections
    /// live on until the client is dropped.
    pub async fn close(&self) -> Result<()> {
        if self.0.is_forked() {
            return Err(Error::NotSent(Reason::Forked));
        }
        self.0.pool.close().await;
        Ok(())
    }

    fn send_as(
        &self,
        mtype: u8,
        encode: impl FnOnce(&mut BodyMut<'_>) -> Result<(), EncodeError>,
    ) -> Sending {
        self.sending(sending::encode(Mtype::byte(mtype), None, encode), self.0.timeout)
    }

    fn sending<E>(&self, frame: Result<Frame, Reason>, timeout: Duration) -> Sending<E> {
        Sending::new(self.0.clone(), frame, timeout)
    }
}

impl Shared {
    /// Why nothing can be sent any more, if so.
    fn check(&self) -> Result<(), Reason> {
        // First: in a child the pool may have been locked by a thread that does not exist there.
        if self.is_forked() {
            return Err(Reason::Forked);
        }
        if self.pool.is_closed() {
            return Err(Reason::Closed);
        }
        Ok(())
    }

    fn is_forked(&self) -> bool {
        self.process != std::process::id()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("address", self.0.pool.address())
            .field("wire", &self.wire())
            .field("app", &self.0.app)
            .field("timeout", &self.0.timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CallError;

    /// A client as a child of this process would see it.
    fn in_a_child(client: &Client) -> Client {
        let Shared { pool, timeout, process, .. } = &*client.0;
        let (pool, timeout, process) = (pool.clone(), *timeout, process + 1);
        Client(Arc::new(Shared { pool, timeout, app: None, process }))
    }

    #[tokio::test]
    async fn in_a_child_nothing_is_sent_and_nothing_closed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let client = Client::builder(&path).id(None).connect().await.unwrap();

        let child = in_a_child(&client);
        let error = child.send_raw(b'O', "x").await.unwrap_err();
        assert!(matches!(error, CallError::NotSent(Reason::Forked)), "{error:?}");
        let error = child.close().await.unwrap_err();
        assert!(matches!(error, Error::NotSent(Reason::Forked)), "{error}");
        assert!(!client.0.pool.is_closed());

        let (server, _) = listener.accept().await.unwrap();
        let nothing = server.try_read(&mut [0]).unwrap_err();
        assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    }

    #[tokio::test]
    async fn a_message_under_way_is_left_to_the_process_that_sent_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let _listener = tokio::net::UnixListener::bind(&path).unwrap();
        let client = Client::builder(&path).id(None).connect().await.unwrap();
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
