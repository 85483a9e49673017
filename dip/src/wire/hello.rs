//! The preface of the native wire: what each side accepts.

/// What one side accepts of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Bytes of a whole body.
    pub(crate) max_message: u64,
    /// Body bytes of one frame.
    pub(crate) max_piece: u32,
    /// Calls at once at depth 0, and at each deeper depth.
    pub(crate) calls: u16,
    pub(crate) nested_calls: u16,
    /// The deepest depth at which calls are taken.
    pub(crate) deepest: u8,
    /// Units of one-way messages.
    pub(crate) notify_window: u32,
    /// Units of each stream and direction.
    pub(crate) stream_window: u32,
    /// Bytes of bodies over 16 KiB.
    pub(crate) body_window: u64,
    /// Takes no requests and answers no pings.
    pub(crate) passive: bool,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            max_message: 16 << 20,
            max_piece: 256 << 10,
            calls: 256,
            nested_calls: 64,
            deepest: 16,
            notify_window: 1024,
            stream_window: 256,
            body_window: 32 << 20,
            passive: false,
        }
    }
}
