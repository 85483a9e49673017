//! The blocking client, most of the time against a server in another thread.

mod calls;
mod classic;
mod endings;
mod hostile;
mod support;
