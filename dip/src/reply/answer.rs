//! From what a handler returns to the bytes of its reply.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;

use bytes::Bytes;

use super::{Code, Failure, IntoReply, Rejection};
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
                let mut body = BodyMut::sharing(&mut out, MAX_REPLY);
                let failed = |code| move |error| Rejection::from_encode(code, &error);
                (self.reply)(&reply, &mut body).map_err(failed(Code::Rejected))?;
                let encoded = body.into_encoded().map_err(failed(Code::ReplyTooLarge))?;
                Ok(encoded.into_bytes(out))
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

pub(crate) type Outcome = Result<Bytes, Rejection>;

pub(crate) enum Work {
    Future(Pin<Box<dyn Future<Output = Outcome> + Send>>),
    Blocking(Box<dyn FnOnce() -> Outcome + Send>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Codec as _, Raw};

    #[test]
    fn a_reply_that_a_codec_cannot_write_is_not_one_that_is_too_large() {
        let answer = Answer::<(), Option<usize>, Rejection> {
            reply: |len, body| {
                let len = len.ok_or_else(|| EncodeError::new("no such value"))?;
                (0..len).for_each(|_| body.extend_from_slice(&[0; 1 << 20]));
                Ok(())
            },
            rejection: |rejection| rejection,
            message: PhantomData,
        };
        let code = |reply| answer.encode(Ok(reply)).map_err(|rejection| rejection.code());
        assert_eq!(code(None), Err(Code::Rejected));
        assert_eq!(code(Some(17)), Err(Code::ReplyTooLarge));
        assert!(code(Some(16)).is_ok());
    }

    #[test]
    fn a_large_reply_of_bytes_is_not_copied() {
        let answer = Answer::<(), Bytes, Rejection> {
            reply: Raw::encode,
            rejection: |rejection| rejection,
            message: PhantomData,
        };
        let reply = Bytes::from(vec![7; 1 << 20]);
        assert_eq!(answer.encode(Ok(reply.clone())).unwrap().as_ptr(), reply.as_ptr());
    }
}
