//! What can go wrong, in one tree.

mod call;
mod reason;
mod remote;

use std::fmt;
use std::io;
use std::panic::Location;
use std::path::PathBuf;

use crate::reply::Code;
use crate::transport::{AddressError, BindError, ConnectError};

pub use call::CallError;
pub use reason::Reason;
pub use remote::Remote;

use call::{CONNECTION_LOST, deadline};

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
    /// The server stops: what was waited for does not happen any more.
    ShuttingDown,
    /// The handler replied with the error its message declares.
    App(Box<dyn std::error::Error + Send + Sync>),
    /// The peer refused the message.
    Rejected(Remote),
    /// The message was certainly not sent.
    NotSent(Reason),
    /// No answer in time, by this side's clock.
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

    /// Whether the time of a message was over, as [`CallError::is_deadline`] says.
    pub fn is_deadline(&self) -> bool {
        match self {
            Self::Deadline { .. } => true,
            Self::Rejected(remote) => remote.code == Code::Deadline,
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
            Self::ShuttingDown => f.write_str("the server is shutting down"),
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
