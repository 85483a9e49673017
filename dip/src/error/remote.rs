//! What the peer said of a message that it refused.

use std::fmt;

use crate::mtype::Mtype;
use crate::reply::{Code, Handled, Rejection};

/// What the peer said instead of handling the message.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remote {
    /// Why, as a code. A classic server knows two: an unknown type, and any other refusal.
    pub code: Code,
    /// Why, as text: the `repr` of an exception from a classic server, the same form from dip.
    pub text: String,
    handled: Handled,
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
        let handled = if certain { Handled::No } else { Handled::Maybe };
        Self { code, text, handled }
    }

    /// What an ERROR frame of the native wire says. That no handler has seen the message is not
    /// believed of a code that only a handler which had begun can bring about.
    pub(crate) fn from_native(code: Code, handled: Handled, text: String) -> Self {
        let began =
            matches!(code, Code::App | Code::Panicked | Code::Rejected | Code::ReplyTooLarge);
        let handled = if began && handled == Handled::No { Handled::Maybe } else { handled };
        Self { code, text, handled }
    }

    /// Whether a handler may have seen the message. On the native wire the peer says so. A classic
    /// server's text may come from its handler, unless it is word for word the one for a type that
    /// the server does not know.
    pub fn may_have_run(&self) -> bool {
        self.handled != Handled::No
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peer_says_whether_a_handler_has_seen_the_message() {
        let remote = |code, handled| Remote::from_native(code, handled, String::new());
        for code in [Code::Overloaded, Code::Deadline, Code::from_number(900)] {
            assert!(!remote(code, Handled::No).may_have_run(), "{code:?}");
            for handled in [Handled::Maybe, Handled::Yes] {
                assert!(remote(code, handled).may_have_run(), "{code:?}");
                assert!(!remote(code, handled).is_retryable(), "{code:?}");
            }
        }
        assert!(remote(Code::Overloaded, Handled::No).is_retryable());
        assert!(!remote(Code::from_number(900), Handled::No).is_retryable());
    }

    #[test]
    fn what_only_a_handler_says_has_been_seen_by_one_whatever_the_peer_claims() {
        for code in [Code::App, Code::Panicked, Code::Rejected, Code::ReplyTooLarge] {
            assert!(Remote::from_native(code, Handled::No, String::new()).may_have_run());
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
}
