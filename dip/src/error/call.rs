//! How a call ends that does not end with a reply.

use std::fmt;

use serde::de::DeserializeOwned;

use super::{Reason, Remote};
#[cfg(feature = "bincode")]
use crate::codec::{Bincode, DecodeLimits};
use crate::protocol::NoError;
use crate::reply::Code;

/// How a call ended that did not end with a reply.
///
/// Nothing is ever matched to the wrong call, and every outcome says whether the message may have
/// been handled.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallError<E> {
    /// The handler replied with the error its message declares.
    App(E),
    /// The peer refused the message. So is one whose time was over by the peer's clock, with
    /// [`Code::Deadline`].
    Rejected(Remote),
    /// The message was certainly not sent.
    NotSent(Reason),
    /// No answer in time, by this side's clock.
    Deadline {
        /// Whether the message was sent, and so may have been handled.
        sent: bool,
    },
    /// The connection broke while the answer was due: the message may have been handled.
    ConnectionLost,
}

impl<E: DeserializeOwned> CallError<E> {
    /// What an ERROR frame of the native wire says. `detail` is the declared error, if that is what
    /// the peer replied; one that this side cannot read is a refusal in words.
    pub(crate) fn from_native(remote: Remote, detail: &[u8]) -> Self {
        let declared = if remote.code == Code::App { read(detail) } else { None };
        declared.map_or(Self::Rejected(remote), Self::App)
    }
}

#[cfg(feature = "bincode")]
fn read<E: DeserializeOwned>(detail: &[u8]) -> Option<E> {
    Bincode::read(detail, &DecodeLimits::for_body(detail.len())).ok()
}

#[cfg(not(feature = "bincode"))]
fn read<E>(_: &[u8]) -> Option<E> {
    None
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

    /// Whether the message's time was over, by this side's clock or by the peer's: both tell the
    /// same, and either may be the first.
    ///
    /// ```no_run
    /// # async fn example(client: dip::Client) -> dip::Result<()> {
    /// match client.send_json("are you busy?").await {
    ///     Err(error) if error.is_deadline() => println!("it is"),
    ///     sent => sent?,
    /// }
    /// # Ok(()) }
    /// ```
    pub fn is_deadline(&self) -> bool {
        match self {
            Self::Deadline { .. } => true,
            Self::Rejected(remote) => remote.code == Code::Deadline,
            Self::App(_) | Self::NotSent(_) | Self::ConnectionLost => false,
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
    use crate::reply::{Handled, Rejection};
    use crate::transport::ConnectError;

    fn rejected(code: Code) -> CallError<NoError> {
        let handled = Rejection::of(code, "E", "").handled();
        CallError::Rejected(Remote::from_native(code, handled, String::new()))
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
    fn a_deadline_is_one_by_either_clock() {
        let late = |sent| CallError::<NoError>::Deadline { sent };
        for error in [late(true), late(false), rejected(Code::Deadline)] {
            assert!(error.is_deadline() && Error::from(error).is_deadline());
        }
        let lost = CallError::<NoError>::ConnectionLost;
        let slow = CallError::<NoError>::NotSent(Reason::SlowPeer);
        for error in [lost, slow, rejected(Code::Cancelled), rejected(Code::Rejected)] {
            assert!(!error.is_deadline() && !Error::from(error).is_deadline());
        }
    }

    #[cfg(feature = "bincode")]
    #[test]
    fn a_declared_error_arrives_as_its_value_or_in_words() {
        let from = |code, detail| {
            let remote = Remote::from_native(code, Handled::Yes, "Full('no')".into());
            CallError::<(u8, String)>::from_native(remote, detail)
        };
        let value = from(Code::App, b"\x03\x01x").into_app();
        assert_eq!(value, Some((3, "x".to_owned())));
        for detail in [&b""[..], b"\x03", b"\x03\x01x and more"] {
            let error = from(Code::App, detail);
            let CallError::Rejected(remote) = error else { panic!("{error:?}") };
            assert!(remote.code == Code::App && remote.text == "Full('no')");
        }
        let words = from(Code::Rejected, b"\x03\x01x");
        assert!(matches!(words, CallError::Rejected(_)), "{words:?}");
    }

    #[cfg(feature = "bincode")]
    #[test]
    fn a_detail_that_claims_more_than_it_holds_is_not_believed() {
        let remote = Remote::from_native(Code::App, Handled::Yes, String::new());
        let claims_2_64_units = [253, 255, 255, 255, 255, 255, 255, 255, 255];
        let error = CallError::<Vec<()>>::from_native(remote, &claims_2_64_units);
        assert!(matches!(error, CallError::Rejected(_)), "{error:?}");
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
        let reason = Reason::Refused(Remote::from_classic(0x1d, "E('x')".to_owned()));
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
