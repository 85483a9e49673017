//! What travels back: a reply, the declared error, or a rejection.

mod answer;
mod code;
mod guard;
mod here;
mod rejection;

pub use answer::Running;
pub(crate) use answer::{Answer, Handling, OneReply, Outcome, Start, Started, Work, Written};
pub use code::Code;
pub(crate) use code::Handled;
pub(crate) use guard::{Guarded, guarded};
pub(crate) use here::{Here, Places};
pub use rejection::Rejection;

/// What a handler ended with instead of a reply.
#[doc(hidden)]
#[derive(Debug)]
pub enum Failure<E> {
    App(E),
    Rejected(Rejection),
}

/// What a handler of `M` may return: `T`, `Result<T, E>` or `Result<T, Rejection>`.
///
/// `K` tells the three apart and is always inferred; `M` is there for the compiler's message.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a handler of `{M}` can't return `{Self}`",
    label = "expected `{T}` or `Result<{T}, dip::Rejection>`",
    note = "`?` turns any standard error into a `dip::Rejection`; the error that the message declares, `#[protocol(error = …)]`, is returned as it is"
)]
pub trait IntoReply<M, T, E, K> {
    fn into_reply(self) -> Result<T, Failure<E>>;
}

#[doc(hidden)]
#[derive(Debug)]
pub enum Plain {}
#[doc(hidden)]
#[derive(Debug)]
pub enum Fallible {}
#[doc(hidden)]
#[derive(Debug)]
pub enum Refusing {}

/// `Result`, as a bound: with the type itself rustc would list near misses in its message.
#[doc(hidden)]
pub trait IsResult {
    type Ok;
    type Err;
    fn into_result(self) -> Result<Self::Ok, Self::Err>;
}

impl<T, E> IsResult for Result<T, E> {
    type Ok = T;
    type Err = E;
    fn into_result(self) -> Self {
        self
    }
}

impl<T, M, E> IntoReply<M, T, E, Plain> for T {
    fn into_reply(self) -> Result<T, Failure<E>> {
        Ok(self)
    }
}

#[diagnostic::do_not_recommend]
impl<R: IsResult<Ok = T, Err = E>, M, T, E> IntoReply<M, T, E, Fallible> for R {
    fn into_reply(self) -> Result<T, Failure<E>> {
        self.into_result().map_err(Failure::App)
    }
}

#[diagnostic::do_not_recommend]
impl<R: IsResult<Ok = T, Err = Rejection>, M, T, E> IntoReply<M, T, E, Refusing> for R {
    fn into_reply(self) -> Result<T, Failure<E>> {
        self.into_result().map_err(Failure::Rejected)
    }
}
