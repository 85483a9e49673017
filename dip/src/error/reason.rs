//! Why a message was certainly not sent.

use std::fmt;

use super::Remote;
use crate::mtype::Mtype;
use crate::reply::Code;
use crate::transport::ConnectError;

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
    /// The server turned the client away, or did not accept its id.
    Refused(Remote),
    /// The connection broke before the whole message was handed to the system, and a server handles
    /// whole messages only.
    Disconnected,
    /// The connection has ended, or the peer is about to end it, and there will be no other: that of a
    /// client over a stream, or of a [`Peer`](crate::Peer).
    Gone,
    /// The two sides know different versions of the type.
    SchemaMismatch {
        /// The mtype that both have.
        mtype: Mtype,
        /// The name of the type on this side.
        name: &'static str,
    },
    /// The peer took in no more one-way messages until the time for this one was over, or now, if it
    /// was not to wait.
    SlowPeer,
    /// The peer has said that it is about to stop.
    ShuttingDown,
    /// Calls within calls, nested deeper than the peer accepts.
    TooDeep,
    /// The client was closed.
    Closed,
    /// The process was forked since the client was made, by `fork` of the C library: a child makes its
    /// own client.
    Forked,
}

impl Reason {
    pub(super) fn is_retryable(&self) -> bool {
        match self {
            Self::Connect(error) => error.may_pass(),
            // A server that turns the client away because it has too many says so in words.
            Self::Refused(remote) => !matches!(remote.code, Code::Denied | Code::Unsupported),
            Self::Disconnected => true,
            Self::SlowPeer | Self::ShuttingDown => true,
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
            Self::Refused(remote) => {
                write!(f, "the server refused the client's id: {}", remote.text)
            }
            Self::Disconnected => {
                f.write_str("the connection broke before the whole message was out")
            }
            Self::Gone => f.write_str("the connection has ended, and there will be no other"),
            Self::SchemaMismatch { mtype, name } => write!(
                f,
                "the two sides know different versions of `{name}` ({mtype}): rebuild the older one, \
                 or give the new version an mtype of its own"
            ),
            Self::SlowPeer => {
                f.write_str("the peer took in no more one-way messages before the time was up")
            }
            Self::ShuttingDown => f.write_str("the peer is shutting down"),
            Self::TooDeep => {
                f.write_str("calls within calls are nested deeper than the peer accepts")
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
            Self::Refused(remote) => remote.source(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_differ_are_named_with_what_to_do() {
        let reason = Reason::SchemaMismatch { mtype: Mtype::byte(b'N'), name: "app::Note" };
        let text = "the two sides know different versions of `app::Note` ('N'): rebuild the older \
                    one, or give the new version an mtype of its own";
        assert_eq!(reason.to_string(), text);
        assert!(!reason.is_retryable());
    }

    #[test]
    fn what_the_peer_did_not_take_in_is_retryable_unless_it_never_will() {
        assert!(Reason::SlowPeer.is_retryable() && Reason::ShuttingDown.is_retryable());
        assert!(!Reason::TooDeep.is_retryable());
    }

    #[test]
    fn a_connection_that_will_not_come_back_is_not_waited_for() {
        assert!(Reason::Disconnected.is_retryable() && !Reason::Gone.is_retryable());
    }
}
