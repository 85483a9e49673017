//! The server, over real sockets, as peers that speak the classic wire see it.

pub(crate) mod support;

mod answers;
mod bad_input;
mod blocking;
mod departures;
mod extractors;
mod late_replies;
mod limits;
mod ordering;
mod processes;
mod routing;
mod shutdown;
mod stats;
