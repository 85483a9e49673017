//! What is wrong with a body, or with a value that a format cannot hold.

use std::borrow::Cow;
use std::fmt;

/// Why a body could not be decoded.
///
/// On the classic wire it is told to the peer as `Class('text')`; Python workers match on the class.
#[derive(Clone, PartialEq, Eq)]
pub struct DecodeError {
    class: &'static str,
    text: Cow<'static, str>,
}

/// Why a value could not be encoded.
#[derive(Clone, PartialEq, Eq)]
pub struct EncodeError {
    class: &'static str,
    text: Cow<'static, str>,
}

macro_rules! error_of_a_codec {
    ($Error:ident, $class:literal, $failed:literal) => {
        impl $Error {
            /// An error of the class
            #[doc = concat!("`", $class, "`.")]
            /// The text says what is wrong, in lower case, without quoting the body.
            pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
                Self::named($class, text)
            }

            /// An error of another class, named as Python names it (`"ValueError"`).
            pub fn named(class: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
                Self { class, text: text.into() }
            }

            /// The name of the error's class, as a Python peer sees it.
            pub fn class(&self) -> &'static str {
                self.class
            }

            /// What is wrong.
            pub fn text(&self) -> &str {
                &self.text
            }
        }

        impl fmt::Display for $Error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($failed, ": {}"), self.text)
            }
        }

        impl fmt::Debug for $Error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($Error))
                    .field("class", &self.class)
                    .field("text", &self.text)
                    .finish()
            }
        }

        impl std::error::Error for $Error {}
    };
}

error_of_a_codec!(DecodeError, "ProtoDecodeError", "cannot decode the body");
error_of_a_codec!(EncodeError, "ProtoEncodeError", "cannot encode the value");

impl DecodeError {
    /// The body ends inside a value.
    pub(crate) fn too_short(expected: usize, got: usize) -> Self {
        Self::new(format!("Not enough bytes to read, expect: {expected}, got: {got}"))
    }

    /// The body ends inside a number of `size` bytes.
    pub(crate) fn unpack(size: usize) -> Self {
        Self::named("error", format!("unpack requires a buffer of {size} bytes"))
    }

    /// The decoded value is deeper than the receiver allows.
    #[cfg_attr(not(feature = "bincode"), allow(dead_code))]
    pub(crate) fn too_deep(limit: usize) -> Self {
        Self::named("RecursionError", format!("nested deeper than {limit} levels"))
    }

    /// The decoded value takes more memory than the receiver allows.
    pub(crate) fn too_large(limit: usize) -> Self {
        Self::named("MemoryError", format!("the value takes more than {limit} bytes in memory"))
    }
}
