//! What a server accepts before it says no: every number of it in one place.

use std::fmt;
use std::time::{Duration, Instant};

use crate::codec::PicklePolicy;

/// The longest encoded reply that a handler may produce.
pub(crate) const MAX_REPLY: usize = 16 << 20;

/// When a time that began at `start` is over. `Duration::MAX` means that it never is.
pub(crate) fn end(start: Instant, limit: Duration) -> Instant {
    // Whoever waits longer than this does not wait for dip.
    const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
    start + limit.min(NEVER)
}

/// A number of bytes: `65_536`, `"64 KiB"`, `"16 MiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub(crate) usize);

impl From<usize> for ByteSize {
    fn from(bytes: usize) -> Self {
        Self(bytes)
    }
}

impl From<ByteSize> for usize {
    fn from(size: ByteSize) -> Self {
        size.0
    }
}

/// # Panics
///
/// On a text that is not a whole number, followed by `B`, `KiB`, `MiB` or `GiB` or nothing.
impl From<&str> for ByteSize {
    fn from(text: &str) -> Self {
        match text.parse() {
            Ok(size) => size,
            Err(error) => panic!("{error}"),
        }
    }
}

impl std::str::FromStr for ByteSize {
    type Err = ParseByteSizeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseByteSizeError(text.chars().take(64).collect());
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let shift = match text[digits..].trim() {
            "" | "B" => 0,
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            _ => return Err(error()),
        };
        let number: usize = text[..digits].parse().map_err(|_| error())?;
        number.checked_mul(1 << shift).map(Self).ok_or_else(error)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, shift) = match self.0 {
            0 => ("bytes", 0),
            n if n.is_multiple_of(1 << 30) => ("GiB", 30),
            n if n.is_multiple_of(1 << 20) => ("MiB", 20),
            n if n.is_multiple_of(1 << 10) => ("KiB", 10),
            _ => ("bytes", 0),
        };
        write!(f, "{} {unit}", self.0 >> shift)
    }
}

/// A text that is not a number of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseByteSizeError(String);

impl fmt::Display for ParseByteSizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a size: write a whole number and B, KiB, MiB or GiB", self.0)
    }
}

impl std::error::Error for ParseByteSizeError {}

macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $name:ident: $In:ty => $T:ty = $default:expr,)+) => {
        /// What a server accepts from its peers. Every limit has a default that suits one machine's
        /// workers; one that fires closes or answers with a reason of its own. Each is set by a
        /// method and read from the field of that name.
        ///
        /// ```
        /// use std::time::Duration;
        /// use dip::Limits;
        ///
        /// let limits = Limits::default().max_message("64 MiB").handler_cap(Duration::from_secs(5));
        /// assert_eq!(usize::from(limits.max_message), 64 << 20);
        /// ```
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub struct Limits {
            $($(#[doc = $doc])+ pub $name: $T,)+
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        impl Limits {
            $(
                $(#[doc = $doc])+
                #[must_use]
                pub fn $name(mut self, value: $In) -> Self {
                    self.$name = value.into();
                    self
                }
            )+

            /// The name of each limit, for a test that goes through them.
            #[doc(hidden)]
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),+];
        }
    };
}

limits! {
    /// The longest body, in bytes: 16 MiB; a type may say less or more (`max_len`).
    max_message: impl Into<ByteSize> => ByteSize = ByteSize(16 << 20),
    /// The longest body of the built-in `O`, `E`, `P`, `J`, `U` and `I`, which Python peers send in
    /// any length: 64 MiB.
    max_builtin_message: impl Into<ByteSize> => ByteSize = ByteSize(64 << 20),
    /// What all bodies under way may take together, as they were received, in bytes: 512 MiB. The
    /// first 64 KiB of a connection are free.
    memory: impl Into<ByteSize> => ByteSize = ByteSize(512 << 20),
    /// How many calls of one connection may be in hand at once on the native wire: 256. Calls within
    /// calls count apart, 64 at each depth.
    calls: u16 => u16 = 256,
    /// How much of one-way messages a connection may send ahead of their handlers on the native wire,
    /// in units: 1024. A message costs one, and one more for each KiB of its body.
    notify_window: u32 => u32 = 1024,
    /// How many connections there may be: 4096, or what the process may open less 64 (but at least
    /// half of it) when that is fewer.
    connections: usize => usize = 4096,
    /// How many connections may be without one complete frame: 64. The oldest above it goes, none
    /// younger than a second.
    incomplete_connections: usize => usize = 64,
    /// Until when a new connection must have sent its first frame: 5 s.
    handshake: Duration => Duration = Duration::from_secs(5),
    /// How long a frame may take from its first byte to its last: 30 s.
    frame: Duration => Duration = Duration::from_secs(30),
    /// Bytes a second that a frame must bring after its first 5 s: 1 KiB.
    progress: impl Into<ByteSize> => ByteSize = ByteSize(1 << 10),
    /// How many handlers may run at once: 4096. Those that are ready without waiting do not count, so
    /// a few more may have begun: one for each thread of the runtime at most.
    running_handlers: usize => usize = 4096,
    /// How many blocking handlers may run at once, each on a thread: 64.
    blocking_handlers: usize => usize = 64,
    /// How many acknowledged messages of one connection may wait for their handler
    /// (`ack = "received"`): 256.
    queued_messages: usize => usize = 256,
    /// How long a handler may run before it is stopped and its sender told: 45 s. Time spent waiting
    /// in a lane counts, but for messages that are acknowledged when they are received.
    handler_cap: Duration => Duration = Duration::from_secs(45),
    /// How long a peer may accept no byte of its replies, or give no credit on the native wire for a
    /// reply that waits for it: 10 s.
    write: Duration => Duration = Duration::from_secs(10),
    /// How long a peer on TCP may say nothing before it is asked whether it is there, on the native
    /// wire: 30 s, at least 100 ms. One that says nothing for two more such times is closed. Silence
    /// is noticed up to one such time later. A blocking client is asked by the kernel.
    ping: Duration => Duration = Duration::from_secs(30),
    /// How long a server that stops waits for its handlers: 10 s.
    drain: Duration => Duration = Duration::from_secs(10),
    /// Which pickles are read: plain data only.
    pickle: PicklePolicy => PicklePolicy = PicklePolicy::plain(),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_written() {
        for (text, bytes) in [("7", 7), ("7 B", 7), ("64 KiB", 65_536), ("1GiB", 1 << 30)] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for text in
            ["", "KiB", "64 KB", "-1", "1.5 MiB", "99999999999999999999", "99999999999999 GiB"]
        {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
        assert_eq!(ByteSize(65_536).to_string(), "64 KiB");
        assert_eq!(ByteSize(1000).to_string(), "1000 bytes");
    }
}
