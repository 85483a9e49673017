//! How a call ends that does not end with a reply, and what the peer or this side said of it.

use std::fmt;

use crate::mtype::Mtype;
use crate::protocol::NoError;
use crate::reply::{Code, Rejection};
use crate::transport::ConnectError;

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
    pub(super) fn is_retryable(&self) -> bool {
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

pub(super) const CONNECTION_LOST: &str =
    "the connection broke while an answer was due: the message may have been handled";

pub(super) fn deadline(sent: bool) -> &'static str {
    if sent {
        "no answer in time: the message may have been handled"
    } else {
        "the time was up before the message could be sent"
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::PathBuf;

    use super::*;
    use crate::error::Error;

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
