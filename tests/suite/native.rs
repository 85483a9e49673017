//! The native wire, end to end: calls both ways on one connection.

mod bodies;
mod both_ways;
mod calls;
mod deadlines;
mod endings;
mod gathering;
mod hostile;
mod one_way;
mod processes;
pub(crate) mod raw;
mod support;
mod unread;
