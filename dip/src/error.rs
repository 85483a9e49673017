//! What can go wrong, in one tree.

use std::fmt;
use std::io;
use std::panic::Location;
use std::path::PathBuf;

use crate::mtype::Mtype;
use crate::protocol::NoError;
use crate::reply::{Code, Rejection};
use crate::transport::{AddressError, BindError, ConnectError};

/// The result of whatever dip does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What any function of dip can fail with.
///
/// `Debug` prints the readable report, because `main` prints errors with it.
#[non_exhaustive]
pub enum Error {
    /// The program is put together wrongly: everything that is, at once.
    Startup(Vec<Fault>),
    /// The address is none.
    Address(AddressError),
    /// The server cannot listen.
    Bind(BindError),
    /// The client cannot connect.
    Connect(ConnectError),
    /// Another server has taken over the path: new clients reach that one.
    PathTaken(PathBuf),
    /// The socket's file was removed while the server ran: new clients cannot reach it.
    PathRemoved(PathBuf),
    /// The handler replied with the error its message declares.
    App(Box<dyn std::error::Error + Send + Sync>),
    /// The peer refused the message.
    Rejected(Remote),
    /// The message was certainly not sent.
    NotSent(Reason),
    /// No answer in time.
    Deadline {
        /// Whether the message was sent, and so may have been handled.
        sent: bool,
    },
    /// The connection broke while an answer was due: the message may have been handled.
    ConnectionLost,
    /// The operating system refused something else.
    Io(io::Error),
}

impl Error {
    /// Whether a handler may have seen the message that failed, as
    /// [`CallError::may_have_run`] says; of an error that is about no message, `false`.
    pub fn may_have_run(&self) -> bool {
        match self {
            Self::App(_) | Self::ConnectionLost => true,
            Self::Rejected(remote) => remote.may_have_run(),
            Self::Deadline { sent } => *sent,
            _ => false,
        }
    }

    /// Whether nothing has happened and the same may work later, as [`CallError::is_retryable`]
    /// says; also of [`Client::connect`](crate::Client::connect).
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Connect(error) => error.may_pass(),
            Self::NotSent(reason) => reason.is_retryable(),
            Self::Deadline { sent } => !sent,
            Self::Rejected(remote) => remote.is_retryable(),
            _ => false,
        }
    }
}

/// One thing that is wrong with how a program is put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    what: String,
    at: Option<&'static Location<'static>>,
}

impl Fault {
    pub(crate) fn new(what: impl Into<String>, at: &'static Location<'static>) -> Self {
        Self { what: what.into(), at: Some(at) }
    }

    pub(crate) fn anywhere(what: impl Into<String>) -> Self {
        Self { what: what.into(), at: None }
    }

    /// In the order in which people look at them: by file and line, and first what has neither.
    pub(crate) fn sort(faults: &mut [Self]) {
        faults.sort_by_key(|fault| fault.at.map(place));
    }

    /// The line to look at: `file:line:column`.
    pub fn location(&self) -> Option<&'static Location<'static>> {
        self.at
    }
}

/// What locations are ordered by.
pub(crate) fn place(at: &'static Location<'static>) -> (&'static str, u32, u32) {
    (at.file(), at.line(), at.column())
}

/// The line to look at, and what is wrong there.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(at) => write!(f, "{at}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// What the peer said instead of handling the message.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remote {
    /// Why, as a code. A classic server knows two: an unknown type, and any other refusal.
    pub code: Code,
    /// Why, as text. From a classic server it is the `repr` of a Python exception.
    pub text: String,
    /// The code was read off a text that a handler may have made.
    in_doubt: bool,
}

impl Remote {
    /// What a classic server replied to a message of this type instead of `ok`.
    pub(crate) fn from_classic(mtype: u8, text: String) -> Self {
        let unknown = text.starts_with("UnsupportedProtoError(");
        // A handler may pass on what another server said to it; only about its own message it would
        // not have been called.
        let refusals = [Rejection::unknown_type(mtype), Rejection::no_handler(Mtype::byte(mtype))];
        let certain = unknown && refusals.iter().any(|refusal| refusal.to_string() == text);
        let code = if unknown { Code::UnknownType } else { Code::Rejected };
        Self { code, text, in_doubt: !certain }
    }

    /// Whether a handler may have seen the message. A classic server's text may come from its
    /// handler, unless it is word for word the one for a type that the server does not know.
    pub fn may_have_run(&self) -> bool {
        self.in_doubt || self.code.may_have_run()
    }

    /// Whether the message was certainly not handled, and may be once the peer has less to do or is
    /// back.
    pub fn is_retryable(&self) -> bool {
        !self.may_have_run() && matches!(self.code, Code::Overloaded | Code::ShuttingDown)
    }

    /// The name of the error's class: what stands before the first `(`.
    pub fn class(&self) -> &str {
        self.text.split('(').next().unwrap_or(&self.text)
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the peer refused the message: {}", self.text)
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remote({:?}, {:?})", self.code, self.text)
    }
}

impl std::error::Error for Remote {}

/// Why a message was certainly not sent.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reason {
    /// It cannot be encoded.
    Encode(crate::codec::EncodeError),
    /// Its encoding is longer than the receiver accepts.
    TooLarge {
        /// Bytes of the body.
        size: usize,
        /// Bytes that are accepted.
        limit: usize,
    },
    /// Its body is empty, which a classic server never answers.
    EmptyBody,
    /// The wire that this connection speaks cannot carry it; the text says what.
    NotSupported(&'static str),
    /// No connection could be made.
    Connect(ConnectError),
    /// The server did not accept the client's id.
    IdRefused(Remote),
    /// The connection broke before the whole message was handed to the system, and a server handles
    /// whole messages only.
    Disconnected,
    /// The client was closed.
    Closed,
    /// The process was forked since the client was made: a child makes its own.
    Forked,
}

impl Reason {
    fn is_retryable(&self) -> bool {
        match self {
            Self::Connect(error) => error.may_pass(),
            // A server that turns the client away because it has too many says so to its id.
            Self::IdRefused(_) | Self::Disconnected => true,
            _ => false,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encode(error) => write!(f, "it cannot be encoded: {}", error.text()),
            Self::TooLarge { size, limit } => {
                write!(f, "its body has {size} bytes, the receiver accepts {limit}")
            }
            Self::EmptyBody => {
                f.write_str("its body is empty, which a classic server never answers")
            }
            Self::NotSupported(what) => f.write_str(what),
            Self::Connect(error) => write!(f, "no connection could be made: {error}"),
            Self::IdRefused(remote) => {
                write!(f, "the server refused the client's id: {}", remote.text)
            }
            Self::Disconnected => {
                f.write_str("the connection broke before the whole message was out")
            }
            Self::Closed => f.write_str("the client was closed"),
            Self::Forked => f.write_str("the process was forked: make a client in the child"),
        }
    }
}

impl std::error::Error for Reason {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // What these say themselves is part of the text above.
            Self::Encode(error) => error.source(),
            Self::Connect(error) => error.source(),
            Self::IdRefused(remote) => remote.source(),
            _ => None,
        }
    }
}

/// How a call ended that did not end with a reply.
///
/// Nothing is ever matched to the wrong call, and every outcome says whether the message may have
/// been handled.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallError<E> {
    /// The handler replied with the error its message declares.
    App(E),
    /// The peer refused the message.
    Rejected(Remote),
    /// The message was certainly not sent.
    NotSent(Reason),
    /// No answer in time.
    Deadline {
        /// Whether the message was sent, and so may have been handled.
        sent: bool,
    },
    /// The connection broke while the answer was due: the message may have been handled.
    ConnectionLost,
}

impl<E> CallError<E> {
    /// Whether a handler may have seen the message.
    ///
    /// ```
    /// use dip::{CallError, NoError};
    ///
    /// assert!(CallError::<NoError>::Deadline { sent: true }.may_have_run());
    /// assert!(!CallError::<NoError>::Deadline { sent: false }.may_have_run());
    /// ```
    pub fn may_have_run(&self) -> bool {
        match self {
            Self::App(_) | Self::ConnectionLost => true,
            Self::Rejected(remote) => remote.may_have_run(),
            Self::Deadline { sent } => *sent,
            Self::NotSent(_) => false,
        }
    }

    /// Whether the message was certainly not handled, and may be when it is sent again as it is:
    /// the server was away, or had too much to do. What will not change by itself is not retryable.
    ///
    /// ```no_run
    /// # async fn example(client: dip::Client) -> dip::Result<()> {
    /// use std::time::Duration;
    ///
    /// for pause in [10, 100, 1000].map(Duration::from_millis) {
    ///     match client.send_json("come back").await {
    ///         Err(error) if error.is_retryable() => tokio::time::sleep(pause).await,
    ///         sent => return Ok(sent?),
    ///     }
    /// }
    /// Ok(client.send_json("last try").await?)
    /// # }
    /// ```
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::NotSent(reason) => reason.is_retryable(),
            Self::Deadline { sent } => !sent,
            Self::Rejected(remote) => remote.is_retryable(),
            Self::App(_) | Self::ConnectionLost => false,
        }
    }

    /// The application's error, if that is what it is.
    ///
    /// ```
    /// let error: dip::CallError<u32> = dip::CallError::App(7);
    /// assert_eq!(error.into_app(), Some(7));
    /// ```
    pub fn into_app(self) -> Option<E> {
        match self {
            Self::App(error) => Some(error),
            _ => None,
        }
    }
}

impl CallError<NoError> {
    /// The same where the message declares an error.
    pub(crate) fn widen<E>(self) -> CallError<E> {
        match self {
            Self::App(never) => match never {},
            Self::Rejected(remote) => CallError::Rejected(remote),
            Self::NotSent(reason) => CallError::NotSent(reason),
            Self::Deadline { sent } => CallError::Deadline { sent },
            Self::ConnectionLost => CallError::ConnectionLost,
        }
    }
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::App(error) => error.fmt(f),
            Self::Rejected(remote) => remote.fmt(f),
            Self::NotSent(reason) => write!(f, "the message was not sent: {reason}"),
            Self::Deadline { sent } => f.write_str(deadline(*sent)),
            Self::ConnectionLost => f.write_str(CONNECTION_LOST),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for CallError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::App(error) => error.source(),
            Self::NotSent(reason) => reason.source(),
            _ => None,
        }
    }
}

const CONNECTION_LOST: &str =
    "the connection broke while an answer was due: the message may have been handled";

fn deadline(sent: bool) -> &'static str {
    if sent {
        "no answer in time: the message may have been handled"
    } else {
        "the time was up before the message could be sent"
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<CallError<E>> for Error {
    fn from(error: CallError<E>) -> Self {
        match error {
            CallError::App(error) => Self::App(Box::new(error)),
            CallError::Rejected(remote) => Self::Rejected(remote),
            CallError::NotSent(reason) => Self::NotSent(reason),
            CallError::Deadline { sent } => Self::Deadline { sent },
            CallError::ConnectionLost => Self::ConnectionLost,
        }
    }
}

impl From<AddressError> for Error {
    fn from(error: AddressError) -> Self {
        Self::Address(error)
    }
}

impl From<BindError> for Error {
    fn from(error: BindError) -> Self {
        Self::Bind(error)
    }
}

impl From<ConnectError> for Error {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Startup(faults) => {
                f.write_str("the program cannot start:")?;
                faults.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
            }
            Self::Address(error) => error.fmt(f),
            Self::Bind(error) => error.fmt(f),
            Self::Connect(error) => error.fmt(f),
            Self::PathRemoved(path) => write!(
                f,
                "{} was removed, by hand or by a cleaner of old files: new clients cannot reach \
                 this server; start it again",
                path.display()
            ),
            Self::PathTaken(path) => write!(
                f,
                "another server has taken over {}: new clients reach that one",
                path.display()
            ),
            Self::App(error) => error.fmt(f),
            Self::Rejected(remote) => remote.fmt(f),
            Self::NotSent(reason) => write!(f, "the message was not sent: {reason}"),
            Self::Deadline { sent } => f.write_str(deadline(*sent)),
            Self::ConnectionLost => f.write_str(CONNECTION_LOST),
            Self::Io(error) => error.fmt(f),
        }
    }
}

/// The text of the error and of its causes.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Address(error) => error.source(),
            Self::Bind(error) => error.source(),
            Self::Connect(error) => error.source(),
            Self::App(error) => error.source(),
            Self::NotSent(reason) => reason.source(),
            Self::Io(error) => error.source(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(code: Code) -> CallError<NoError> {
        CallError::Rejected(Remote { code, text: String::new(), in_doubt: false })
    }

    #[test]
    fn only_codes_of_messages_that_never_began_say_so() {
        for code in [Code::Rejected, Code::Panicked, Code::Deadline, Code::Cancelled] {
            assert!(rejected(code).may_have_run() && !rejected(code).is_retryable(), "{code:?}");
        }
        for code in [Code::App, Code::ReplyTooLarge] {
            assert!(rejected(code).may_have_run() && !rejected(code).is_retryable(), "{code:?}");
        }
        for code in [Code::NoHandler, Code::TooLarge, Code::Decode, Code::Denied] {
            assert!(!rejected(code).may_have_run() && !rejected(code).is_retryable(), "{code:?}");
        }
        for code in [Code::Overloaded, Code::ShuttingDown] {
            assert!(!rejected(code).may_have_run() && rejected(code).is_retryable(), "{code:?}");
        }
    }

    #[test]
    fn a_text_is_that_of_an_unknown_type_only_word_for_word() {
        let unknown = Rejection::unknown_type(b'Z').to_string();
        let unhandled = Rejection::no_handler(Mtype::byte(b'Z')).to_string();
        for text in [&unknown, &unhandled] {
            let remote = Remote::from_classic(b'Z', text.clone());
            assert!(remote.code == Code::UnknownType && !remote.may_have_run(), "{text}");
            // A handler of another message has passed it on.
            let remote = Remote::from_classic(b'Y', text.clone());
            assert!(remote.code == Code::UnknownType && remote.may_have_run(), "{text}");
            let remote = Remote::from_classic(b'Z', format!("{text} "));
            assert!(remote.may_have_run(), "{text}");
        }
    }

    #[test]
    fn the_text_holds_every_cause_once() {
        let address = PathBuf::from("s").into();
        let source = io::Error::other("the cable is cut");
        let error =
            CallError::<NoError>::NotSent(Reason::Connect(ConnectError::Io { address, source }));
        let text = "the message was not sent: no connection could be made: cannot connect to \
                    \"s\": the cable is cut";
        assert_eq!(error.to_string(), text);
        assert!(std::error::Error::source(&error).is_none());
        assert_eq!(format!("{:?}", Error::from(error)), text);
        let reason = Reason::Encode(crate::codec::EncodeError::new("no such value"));
        assert_eq!(reason.to_string(), "it cannot be encoded: no such value");
        let reason = Reason::IdRefused(Remote::from_classic(0x1d, "E('x')".to_owned()));
        assert_eq!(reason.to_string(), "the server refused the client's id: E('x')");
    }

    #[test]
    fn what_will_not_change_is_not_retryable() {
        let path = || PathBuf::from("s");
        let long = || ConnectError::PathTooLong { path: path(), limit: 1 };
        let away = || ConnectError::TimedOut { address: path().into() };
        let retryable = |error: Error| !error.may_have_run() && error.is_retryable();
        assert!(!retryable(long().into()) && retryable(away().into()));
        assert!(!retryable(Error::NotSent(Reason::Connect(long()))));
        assert!(retryable(Error::NotSent(Reason::Connect(away()))));
        assert!(Error::from(rejected(Code::Panicked)).may_have_run());
        assert!(retryable(rejected(Code::Overloaded).into()));
    }
}
