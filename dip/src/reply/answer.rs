//! From what a handler returns to the bytes of its reply.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;

use super::{Failure, IntoReply, Rejection};
use crate::codec::{BodyMut, EncodeError};
use crate::limits::MAX_REPLY;

/// How the reply to a message is written.
#[doc(hidden)]
pub struct Answer<M, T, E> {
    pub(crate) reply: fn(&T, &mut BodyMut<'_>) -> Result<(), EncodeError>,
    pub(crate) rejection: fn(E) -> Rejection,
    pub(crate) message: PhantomData<fn(M)>,
}

impl<M, T, E> Answer<M, T, E> {
    fn encode(&self, reply: Result<T, Failure<E>>) -> Outcome {
        match reply {
            Ok(reply) => {
                let mut out = Vec::new();
                let mut body = BodyMut::new(&mut out, MAX_REPLY);
                (self.reply)(&reply, &mut body)
                    .and_then(|()| body.finish())
                    .map_err(|error| Rejection::from_encode(&error))?;
                Ok(out)
            }
            Err(Failure::App(error)) => Err((self.rejection)(error)),
            Err(Failure::Rejected(rejection)) => Err(rejection),
        }
    }
}

/// The reply to a message that has one.
#[doc(hidden)]
pub struct OneReply<M, T, E>(Answer<M, T, E>);

impl<M, T, E> From<Answer<M, T, E>> for OneReply<M, T, E> {
    fn from(answer: Answer<M, T, E>) -> Self {
        Self(answer)
    }
}

impl<M: 'static, T: 'static, E: 'static> OneReply<M, T, E> {
    /// The handler is an `async fn`.
    pub fn with_output_of<Fut, K>(self, future: Fut) -> Result<Running, Rejection>
    where
        Fut: Future + Send + 'static,
        Fut::Output: IntoReply<M, T, E, K>,
    {
        let answer = self.0;
        let work = async move { answer.encode(future.await.into_reply()) };
        Ok(Running(Work::Future(Box::pin(work))))
    }

    /// The handler is a plain `fn` that may block.
    pub fn with_result_of<F, R, K>(self, function: F) -> Result<Running, Rejection>
    where
        F: FnOnce() -> R + Send + 'static,
        R: IntoReply<M, T, E, K>,
    {
        let answer = self.0;
        Ok(Running(Work::Blocking(Box::new(move || answer.encode(function().into_reply())))))
    }
}

/// A handler under way: its reply as bytes, or why there is none.
#[doc(hidden)]
pub struct Running(pub(crate) Work);

pub(crate) type Outcome = Result<Vec<u8>, Rejection>;

pub(crate) enum Work {
    Future(Pin<Box<dyn Future<Output = Outcome> + Send>>),
    Blocking(Box<dyn FnOnce() -> Outcome + Send>),
}
