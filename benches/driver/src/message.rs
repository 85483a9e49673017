//! The small message.

use serde::{Deserialize, Serialize};

/// A type that carries the fields of [`Message`].
pub trait Small: Send + 'static {
    /// The message with that id; all else is the same in each.
    fn new(id: u64) -> Self;

    /// Its id.
    fn id(&self) -> u64;
}

/// 64 bytes of fields. The values are large, so that an encoding with integers of variable length
/// takes as many.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub id: u64,
    pub name: String,
    pub values: [u32; 8],
}

impl Message {
    /// The name in each message: 16 bytes.
    pub const NAME: &str = "sixteen bytes ok";
    /// The values in each message.
    pub const VALUES: [u32; 8] = [
        0x1000_0001,
        0x2000_0002,
        0x3000_0003,
        0x4000_0004,
        0x5000_0005,
        0x6000_0006,
        0x7000_0007,
        0x7fff_ffff,
    ];
}

impl Small for Message {
    fn new(id: u64) -> Self {
        Self { id, name: Self::NAME.into(), values: Self::VALUES }
    }

    fn id(&self) -> u64 {
        self.id
    }
}
