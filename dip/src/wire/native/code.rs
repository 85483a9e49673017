//! The codes of an ERROR that the session says itself; [`Code`](crate::Code) has all of them.

pub(crate) const TOO_LARGE: u16 = 4;
pub(crate) const OVERLOADED: u16 = 7;
pub(crate) const SHUTTING_DOWN: u16 = 8;
pub(crate) const DEADLINE: u16 = 9;
pub(crate) const CANCELLED: u16 = 10;
pub(crate) const TOO_DEEP: u16 = 13;
pub(crate) const REPLY_TOO_LARGE: u16 = 16;
pub(crate) const UNSUPPORTED: u16 = 17;
