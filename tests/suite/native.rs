//! The native wire, end to end: calls both ways on one connection.

mod bodies;
mod both_ways;
mod calls;
mod deadlines;
mod endings;
mod gathering;
mod given_up;
mod hostile;
mod meeting;
mod one_way;
mod processes;
pub(crate) mod raw;
pub(crate) mod silence;
mod spinning;
mod support;
mod unread;
